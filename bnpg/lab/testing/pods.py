"""The pods of a Kubernetes manifest, as podman can run them.

What a cluster does with a Job before a container starts, and podman does not, is done here: the Job
controller's pods with their indices, the kubelet's `$(NAME)`, and claims with their sub-paths, which become
folders.
"""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Manifest = dict[str, Any]

_REFERENCE = re.compile(r"\$(\$|\(([A-Za-z_][A-Za-z0-9_]*)\))")


def jobs_of(documents: Sequence[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Yield every Job as its name and its spec; those of a JobSet too, under the names it gives them."""
    for one in documents:
        if one["kind"] == "Job":
            yield one["metadata"]["name"], one["spec"]
        elif one["kind"] == "JobSet":
            for job in one["spec"]["replicatedJobs"]:
                for number in range(job["replicas"]):
                    yield f"{one['metadata']['name']}-{job['name']}-{number}", job["template"]["spec"]


def pods_of(documents: Sequence[Manifest], storage: Path) -> dict[str, list[Manifest]]:
    """Return what `podman kube play` is to be given for every pod, by the pod's name in the network.

    Parameters
    ----------
    documents : sequence of dict
        Of a rendered manifest.
    storage : Path
        Folder of the claims: `storage/CLAIM/SUBPATH` is mounted for a claim.

    Returns
    -------
    dict from str to list of dict
        `HOSTNAME.SUBDOMAIN`, or the name of a pod of no Job, and a pod with the ConfigMaps of the manifest.
    """
    maps = [one for one in documents if one["kind"] == "ConfigMap"]
    found = {}
    for name, job in jobs_of(documents):
        for index in range(job["completions"]):
            pod = _pod(f"{name}-{index}", index, job["template"], storage)
            found[f"{name}-{index}.{pod['spec']['subdomain']}"] = [*maps, pod]
    for one in documents:
        if one["kind"] == "Pod":
            name = one["metadata"]["name"]
            found[name] = [*maps, _pod(name, None, one, storage)]
    return found


def _pod(name: str, index: int | None, template: Manifest, storage: Path) -> Manifest:
    spec = copy.deepcopy(template["spec"])
    spec["hostname"] = name
    volumes: dict[str, Manifest] = {}
    given = {volume["name"]: volume for volume in spec["volumes"]}
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        variables = container.setdefault("env", [])
        if index is not None:
            variables.append({"name": "JOB_COMPLETION_INDEX", "value": str(index)})
        values = {one["name"]: one["value"] for one in variables}
        for words in ("command", "args"):
            if words in container:
                container[words] = [expanded(word, values) for word in container[words]]
        container.pop("ports", None)  # which podman would open on this machine
        for mount in container["volumeMounts"]:
            volume = _volume(name, given[mount["name"]], mount, values, storage)
            volumes[volume["name"]] = volume
            mount["name"] = volume["name"]
    spec["volumes"] = list(volumes.values())
    metadata = {"name": name, "labels": template["metadata"]["labels"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _volume(
    pod: str, volume: Manifest, mount: Manifest, values: Mapping[str, str], storage: Path
) -> Manifest:
    """Return the volume of one mount; podman knows no sub-paths, so each is a volume of its own."""
    if "emptyDir" in volume:
        return {"name": f"{pod}-{volume['name']}", "emptyDir": {}}
    if "persistentVolumeClaim" not in volume:
        return volume
    below = expanded(mount.pop("subPathExpr", None) or mount.pop("subPath"), values)
    folder = storage / volume["persistentVolumeClaim"]["claimName"] / below
    name = f"{volume['name']}-{below.replace('/', '-')}"
    return {"name": name, "hostPath": {"path": str(folder), "type": "Directory"}}


def expanded(text: str, values: Mapping[str, str]) -> str:
    """Return a text with `$(NAME)` replaced as the kubelet does it: `$$` is a dollar, unknown names stay."""

    def value(found: re.Match[str]) -> str:
        return "$" if found[1] == "$" else values.get(found[2], found[0])

    return _REFERENCE.sub(value, text)


def folders_of(pods: Mapping[str, Sequence[Manifest]]) -> set[Path]:
    """Return the folders that storage would have made for the pods."""
    return {
        Path(volume["hostPath"]["path"])
        for documents in pods.values()
        for volume in documents[-1]["spec"]["volumes"]
        if "hostPath" in volume
    }
