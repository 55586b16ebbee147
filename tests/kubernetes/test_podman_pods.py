"""What a cluster does before a container starts is done for podman too."""

from pathlib import Path
from typing import Any

import pytest

from bnpg.lab.testing.pods import expanded, folders_of, pods_of


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("--agent=$(INDEX)", "--agent=3"),
        ("$$(INDEX)", "$(INDEX)"),
        ("$(OTHER)", "$(OTHER)"),
        ("$(seq 5) $INDEX $", "$(seq 5) $INDEX $"),
        ("$(INDEX)/$(INDEX)", "3/3"),
    ],
)
def test_names_are_replaced_as_the_kubelet_does_it(text: str, meant: str) -> None:
    assert expanded(text, {"INDEX": "3"}) == meant


def job(name: str) -> dict[str, Any]:
    container = {
        "name": "agent",
        "image": "bnpg",
        "args": ["--agent=$(JOB_COMPLETION_INDEX)"],
        "volumeMounts": [
            {"name": "shared", "mountPath": "/state", "subPathExpr": "state/$(JOB_COMPLETION_INDEX)"},
            {"name": "shared", "mountPath": "/public", "subPath": "public"},
            {"name": "tmp", "mountPath": "/scratch"},
        ],
    }
    volumes = [
        {"name": "shared", "persistentVolumeClaim": {"claimName": "claim"}},
        {"name": "tmp", "emptyDir": {"medium": "Memory"}},
    ]
    pod = {"subdomain": "team", "containers": [container], "volumes": volumes}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod}
    return {"kind": "Job", "metadata": {"name": name}, "spec": {"completions": 2, "template": template}}


def test_a_job_becomes_a_pod_an_index_with_folders_of_its_own() -> None:
    manifest = [{"kind": "ConfigMap", "metadata": {"name": "experiment"}}, job("agents")]
    pods = pods_of(manifest, Path("/claims"))
    assert list(pods) == ["agents-0.team", "agents-1.team"]
    config, second = pods["agents-1.team"]
    assert config == manifest[0]
    assert (second["kind"], second["metadata"]["name"], second["spec"]["hostname"]) == (
        "Pod",
        "agents-1",
        "agents-1",
    )
    container = second["spec"]["containers"][0]
    assert container["args"] == ["--agent=1"]
    folders = {one["name"]: one.get("hostPath", {}).get("path") for one in second["spec"]["volumes"]}
    mounts = {one["mountPath"]: folders[one["name"]] for one in container["volumeMounts"]}
    assert mounts == {"/state": "/claims/claim/state/1", "/public": "/claims/claim/public", "/scratch": None}
    names = {one["metadata"]["name"]: {v["name"] for v in one["spec"]["volumes"]} for _, one in pods.values()}
    assert names["agents-0"] & names["agents-1"] == {"shared-public"}
    assert folders_of(pods) == {Path("/claims/claim", one) for one in ("public", "state/0", "state/1")}


def test_the_jobs_of_a_jobset_have_the_names_it_gives_them() -> None:
    inner = {"name": "agents", "replicas": 2, "template": {"spec": job("x")["spec"]}}
    jobset = {"kind": "JobSet", "metadata": {"name": "run"}, "spec": {"replicatedJobs": [inner]}}
    names = [f"run-agents-{replica}-{index}.team" for replica in range(2) for index in range(2)]
    assert list(pods_of([jobset], Path("/claims"))) == names
