"""Any DAG can be drawn: edges point to the right, agents lie apart, nothing leaves the frame."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bnpg.report.dag_drawing import RADIUS, THICK, THIN, Worth, describe, draw_dag
from bnpg_math.dag import Dag, complete, empty, random_dag


@given(st.integers(1, 12), st.floats(0, 1), st.integers(0, 1000))
def test_every_dag_is_drawn_from_left_to_right_within_its_frame(
    agents: int, density: float, seed: int
) -> None:
    dag = random_dag(agents, density, np.random.default_rng(seed))
    drawing = draw_dag(dag)
    places = {node.agent: (node.x, node.y) for node in drawing.nodes}
    assert sorted(places) == list(range(agents))
    assert [(arrow.parent, arrow.child) for arrow in drawing.arrows] == list(dag.edges)
    for parent, child in dag.edges:
        assert places[parent][0] < places[child][0]
    for agent, (x, y) in places.items():
        assert RADIUS <= x <= drawing.width - RADIUS
        assert RADIUS <= y <= drawing.height - RADIUS
        for other, (a, b) in places.items():
            assert other == agent or abs(x - a) + abs(y - b) > 2 * RADIUS
    for arrow in drawing.arrows:
        x0, y0, xc, yc, x1, y1 = map(float, re.findall(r"-?[\d.]+", arrow.path))
        # A quadratic curve reaches half way to its control point.
        assert 0 <= (y0 + 2 * yc + y1) / 4 <= drawing.height
        assert min(x0, xc, x1) >= 0


def test_the_graph_is_put_into_words() -> None:
    assert describe(Dag(3, [(0, 2), (1, 2)])) == (
        "3 agents; 2 agents act without seeing another; agent 2 sees the action of agents 0, 1."
    )
    assert describe(empty(2)) == "2 agents, none of whom sees another's action before it acts."
    assert "1 agent acts without seeing another" in describe(complete(3))


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3))
def test_the_more_an_edge_is_worth_the_thicker_it_is(values: list[float]) -> None:
    dag = complete(3)
    worths = {
        edge: Worth(value, value - 0.1, value + 0.1) for edge, value in zip(dag.edges, values, strict=True)
    }
    arrows = draw_dag(dag, worths).arrows
    assert [arrow.worth for arrow in arrows] == [worths[edge] for edge in dag.edges]
    for one in arrows:
        assert THIN <= one.width <= THICK
        for other in arrows:
            if worths[one.parent, one.child].value >= worths[other.parent, other.child].value:
                assert one.width >= other.width


def test_an_edge_that_was_not_measured_has_no_label() -> None:
    first, second = draw_dag(
        complete(3), {(0, 1): Worth(2.345, 2.0, 2.6), (0, 2): Worth(0.01, -0.1, 0.2)}
    ).arrows[:2]
    assert (first.label, first.width) == ("2.3", THICK)
    assert first.worth is not None
    assert second.worth is not None
    assert first.worth.certain
    assert not second.worth.certain
    last = draw_dag(complete(3), {(0, 1): Worth(2.345, 2.0, 2.6)}).arrows[2]
    assert (last.worth, last.label, last.width) == (None, "", THIN)
