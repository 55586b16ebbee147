"""How the coordinator process is started."""

from pathlib import Path
from typing import Annotated, Literal

from bnpg_protocol.process.options import Positive, ProcessOptions
from bnpg_protocol.process.settings import Setting
from bnpg_protocol.wire.sealed import LARGEST
from msgspec import Meta

EnvironmentWorkers = Annotated[
    Annotated[int, Meta(ge=0, le=256)],
    Setting(
        "Processes that step the environments of a simulator, each some of the lanes, where it is slower "
        "than the agents.",
        symbol="K",
        remark=": the coordinator steps them",
    ),
]
"""The setting, of whoever starts a coordinator, as the three that follow."""
Relay = Annotated[
    Literal["off", "on"],
    Setting(
        "Whether an agent hands on the actions it heard to children that would hear them directly "
        "otherwise: fewer messages, to the same result."
    ),
]
Patience = Annotated[
    Positive,
    Setting(
        "Seconds without any progress after which the run is given up, naming whom it waited for.",
        symbol="SECONDS",
        unit="seconds",
    ),
]
OnLostState = Annotated[
    Literal["fail", "restart"],
    Setting(
        "When an agent's state folder is lost: fail the run, or begin it again at round 0, to the same "
        "result."
    ),
]


class CoordinatorOptions(
    ProcessOptions, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True
):
    """The settings of the coordinator process: options of `bnpg coordinator`, and of the process itself."""

    folder: Annotated[Path, Setting("The run folder.", symbol="DIR", internal=True)]
    listen: Annotated[
        str,
        Setting(
            "Endpoint to bind, such as `tcp://0.0.0.0:7000`; port 0 picks a free one.", symbol="ENDPOINT"
        ),
    ]
    roster: Annotated[
        Path | None,
        Setting(
            "Whom it lets in: a file, or a folder of public keys. Read again at SIGHUP.", symbol="FILE|FOLDER"
        ),
    ] = None
    endpoint_file: Annotated[
        Path | None, Setting("Where to write the endpoint that is bound.", symbol="FILE")
    ] = None
    advertise: Annotated[
        str,
        Setting(
            "Host it names in {endpoint-file}: `auto`, `hostname`, or the host itself. `auto` is the address "
            "it is bound to, or, where it is bound to all, the one of the route to other networks.",
            symbol="HOST",
        ),
    ] = "auto"
    on_lost_state: OnLostState = "fail"
    keep_sealed: Annotated[
        Annotated[int, Meta(ge=0, le=LARGEST)],
        Setting(
            "Keep two sealed checkpoints of every agent, of at most so many bytes each; `bnpg agent --seal`.",
            symbol="BYTES",
            remark=": none",
        ),
    ] = 0
    relay: Relay = "off"
    environment_workers: EnvironmentWorkers = 0
    patience: Patience = 120.0
    trace: Annotated[
        Path | None, Setting("Folder for the message trace.", symbol="FOLDER", internal=True)
    ] = None
