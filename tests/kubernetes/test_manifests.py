"""The manifests are what Kubernetes takes, to the letter, and mean what they should."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bnpg.lab.testing.pods import Manifest, jobs_of
from tests.kubernetes.conftest import OVERLAYS, RUNS, Render

VERSIONS = ("1.31", "1.37")
"""The oldest that is promised and the newest that the validator knows."""
JOBSET = json.loads((Path(__file__).parent / "jobset-v1alpha2.json").read_text())


def check(document: Manifest, version: str) -> None:
    """Validate one object strictly: what the schema does not name is refused."""
    validation = pytest.importorskip("kubernetes_validate", reason="make kubernetes installs it")
    jsonschema = pytest.importorskip("jsonschema", reason="make kubernetes installs it")
    if document["kind"] != "JobSet":
        validation.validate(document, version, strict=True)
        return
    jsonschema.validate(document["spec"], JOBSET)
    for name, spec in jobs_of([document]):
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}
        validation.validate(job, version, strict=True)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping in a document, whatever it is in."""
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(one)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_passes_the_strict_schema(render: Render, overlay: str, version: str) -> None:
    documents = render(overlay)
    assert len(documents) == {"jobset": 5, "reader": 1}.get(overlay, 7)
    for document in documents:
        check(document, version)


@pytest.mark.parametrize("overlay", ["jobs", "jobset"])
def test_a_misspelt_field_is_found_wherever_it_is(render: Render, overlay: str) -> None:
    refused = 0
    for document in render(overlay):
        if document["kind"] not in ("Job", "JobSet", "Service"):
            continue
        for number, one in enumerate(objects(document)):
            # Maps from names to names take any key.
            if "app.kubernetes.io/name" in one or set(one) <= {
                "cpu",
                "memory",
                "app.kubernetes.io/component",
            }:
                continue
            if not one or one is document or one is document["metadata"]:
                continue
            wrong = copy.deepcopy(document)
            list(objects(wrong))[number]["misspelt"] = 1
            with pytest.raises(Exception, match="misspelt"):
                check(wrong, VERSIONS[-1])
            refused += 1
    assert refused > 30


@pytest.mark.parametrize("overlay", RUNS)
def test_what_is_referred_to_is_there(render: Render, overlay: str) -> None:
    documents = render(overlay)
    names = {(one["kind"], one["metadata"]["name"]) for one in documents}
    reached = {}
    for job, spec in jobs_of(documents):
        pod = spec["template"]["spec"]
        assert spec["completionMode"] == "Indexed"
        assert spec["parallelism"] == spec["completions"], "all run at once, or none comes to an end"
        for index in range(spec["completions"]):
            reached[f"{job}-{index}.{pod['subdomain']}"] = spec["template"]["metadata"]["labels"]
        volumes = {one["name"]: one for one in pod["volumes"]}
        for volume in volumes.values():
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in names
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in names
        containers = [*pod["initContainers"], *pod["containers"]]
        mounted = {mount["name"] for one in containers for mount in one["volumeMounts"]}
        assert mounted == set(volumes)
        named = {one["name"] for one in containers}
        for rule in spec.get("podFailurePolicy", {}).get("rules", []):
            assert rule.get("onExitCodes", {}).get("containerName") in (None, *named)
        assert "podFailurePolicy" not in spec or "podReplacementPolicy" not in spec, (
            "the API allows one value"
        )
    # Agents connect to a pod that there is, and the Service gives it its name.
    connects = {
        word.removeprefix("--connect=tcp://").removesuffix(":7000")
        for one in objects(documents)
        for word in one.get("args", [])
        if isinstance(word, str) and word.startswith("--connect")
    }
    assert len(connects) == 1
    labels = reached[connects.pop()]
    services = [one for one in documents if one["kind"] == "Service"]
    for service in services:
        assert service["metadata"]["name"] == "bnpg"
        assert service["spec"]["selector"].items() <= labels.items()
    assert bool(services) == (overlay != "jobset"), "a JobSet makes its own"
    for policy in (one for one in documents if one["kind"] == "NetworkPolicy"):
        assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("overlay", RUNS)
def test_as_many_agents_as_the_experiment_has(render: Render, overlay: str) -> None:
    documents = render(overlay)
    (experiment,) = (one["data"]["experiment.toml"] for one in documents if one["kind"] == "ConfigMap")
    completions = sorted(spec["completions"] for _, spec in jobs_of(documents))
    assert completions[0] == 1
    assert f"coordination(agents={completions[1]})" in experiment


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_have_no_more_rights_than_the_restricted_profile_gives(render: Render, overlay: str) -> None:
    documents = render(overlay)
    specs = [spec["template"]["spec"] for _, spec in jobs_of(documents)]
    specs += [one["spec"] for one in documents if one["kind"] == "Pod"]
    assert specs
    for pod in specs:
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert all("hostPath" not in volume for volume in pod["volumes"])
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            own = container["securityContext"]
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert own["allowPrivilegeEscalation"] is False
            assert own["readOnlyRootFilesystem"] is True
            assert set(container["resources"]["limits"]) == {"cpu", "memory"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_private_key_is_in_a_manifest(render: Render, overlay: str) -> None:
    documents = render(overlay)
    assert not [one for one in documents if one["kind"] == "Secret"]
    assert "secret" not in json.dumps(documents).lower()


def test_the_jobs_of_the_jobset_are_those_of_the_jobs(render: Render) -> None:
    def pods(overlay: str) -> dict[int, Manifest]:
        return {spec["completions"]: copy.deepcopy(spec) for _, spec in jobs_of(render(overlay))}

    plain, grouped = pods("jobs"), pods("jobset")
    for one in (plain, grouped):
        words = one[5]["template"]["spec"]["containers"][0]["args"]
        words[:] = [word for word in words if not word.startswith("--connect")]
    assert plain == grouped


def test_the_example_has_its_own_image_and_class_of_storage(render: Render) -> None:
    images = {one["image"] for one in objects(render("example")) if "image" in one}
    assert images == {"registry.example.org/bnpg:1"}
    (claim,) = (one for one in render("example") if one["metadata"]["name"] == "bnpg-shared")
    assert claim["spec"]["storageClassName"] == "nfs"
