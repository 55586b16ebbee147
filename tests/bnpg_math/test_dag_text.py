import numpy as np
import pytest

from bnpg_math.dag import Dag, complete, line
from bnpg_math.dag.text import parse_dag
from bnpg_math.errors import DagError


@pytest.mark.parametrize(
    ("text", "edges"),
    [
        ("0-1,0-2", ((0, 1), (0, 2))),
        (" 2-0 , 0-1 ", ((0, 1), (2, 0))),
        ("0->1", ((0, 1),)),
    ],
)
def test_edges_can_be_listed(text, edges):
    assert parse_dag(text, 3).edges == edges


def test_a_family_can_be_named():
    assert parse_dag("complete", 3) == complete(3)
    assert parse_dag(" line ", 1) == line(1)


def test_a_misspelt_family_is_guessed():
    with pytest.raises(DagError, match="did you mean 'complete'"):
        parse_dag("compleet", 3)


FILES = {
    "byte order mark": b"\xef\xbb\xbf0 1\r\n0 2\r\n",
    "UTF-16, as PowerShell writes it": "0 1\r\n0 2\r\n".encode("utf-16"),
    "header": b"parent,child\n0,1\n0,2\n",
    "header with a comment before": b"# a team\n\nsource target\n0 1\n0 2\n",
    "header of three columns": b"source;target;weight\n0;1;3\n0;2;1\n",
    "attributes": b"0 1 {'weight': 2}\n0 2 {}\n",
    "weights": b"0,1,0.5\n0,2,1e-3\n",
    "old Macs": b"0-1\r0-2\r",
    "tabs": b"0\t1\n0\t2",
}


@pytest.mark.parametrize("form", FILES)
def test_files_of_other_programs_are_read(form, tmp_path):
    path = tmp_path / "team.edges"
    path.write_bytes(FILES[form])
    assert parse_dag(str(path), 3).edges == ((0, 1), (0, 2))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1 2\n", "line 1 of .*is the third number a weight, .* or another child"),
        ("parent child\n0 1 2\n", "line 2 of .*another child"),
        ("parent child\nother words\n0 1\n", "line 2 of .*got 'other words'"),
        ("0.5 1.7\n", "line 1 of .*got '0.5 1.7'"),
        ("0 1.7\n", "line 1 of .*got '0 1.7'"),
        ("0\n", "line 1 of .*got '0'"),
    ],
)
def test_lines_that_could_mean_two_things_or_none_are_refused(text, message, tmp_path):
    path = tmp_path / "team.edges"
    path.write_text(text)
    with pytest.raises(DagError, match=message):
        parse_dag(str(path), 3)


@pytest.mark.parametrize("text", ["", "0-", "a-b", "no/such/file.txt", "0-1;1-2"])
def test_what_is_neither_name_nor_edges_nor_file_is_refused(text):
    with pytest.raises(DagError, match="neither a family"):
        parse_dag(text, 3)


def test_an_edge_beyond_the_team_is_refused():
    with pytest.raises(DagError, match="edge 0-5"):
        parse_dag("0-5", 3)


def test_a_file_holds_an_edge_a_line(tmp_path):
    path = tmp_path / "team.edges"
    path.write_text("# leader first\n2 0\n\n0-1  # then the rest\n2,1\n")
    assert parse_dag(str(path), 3) == Dag(3, ((2, 0), (0, 1), (2, 1)))


def test_a_bad_line_is_named(tmp_path):
    path = tmp_path / "team.edges"
    path.write_text("0 1\nhello\n")
    with pytest.raises(DagError, match=r"line 2 of .*got 'hello'"):
        parse_dag(str(path), 3)


def test_binary_data_is_no_dag(tmp_path):
    path = tmp_path / "team.edges"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DagError, match="must be text"):
        parse_dag(str(path), 3)


def test_a_folder_is_no_dag(tmp_path):
    with pytest.raises(DagError, match="cannot be read"):
        parse_dag(str(tmp_path), 3)


def test_the_edges_of_a_policy_file_are_taken(tmp_path):
    path = tmp_path / "policy.npz"
    np.savez(path, edges=np.array([[2, 0], [0, 1]]), theta_0=np.zeros(3))
    assert parse_dag(str(path), 3).edges == ((0, 1), (2, 0))


def test_an_archive_without_edges_is_refused(tmp_path):
    path = tmp_path / "policy.npz"
    np.savez(path, theta_0=np.zeros(3))
    with pytest.raises(DagError, match="no array 'edges'"):
        parse_dag(str(path), 3)
