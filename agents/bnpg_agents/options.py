"""How an agent process is started."""

from pathlib import Path
from typing import Annotated

from bnpg_protocol.process.options import NotNegative, Positive, ProcessOptions
from bnpg_protocol.process.settings import Setting
from bnpg_protocol.wire.addresses import UNASSIGNED
from msgspec import Meta


class AgentOptions(ProcessOptions, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """The settings of an agent process: options of `bnpg agent`, and of the process itself."""

    connect: Annotated[
        str,
        Setting(
            "Endpoint of the coordinator, such as `tcp://10.0.0.1:7000`, or `@FILE`: a file that holds it.",
            symbol="ENDPOINT",
        ),
    ]
    state: Annotated[Path, Setting("Folder of its own; theta is kept there.", symbol="DIR")]
    agent: Annotated[
        Annotated[int, Meta(ge=0)] | None, Setting("Its id.", symbol="I", remark="given at joining")
    ] = None
    inbox: Annotated[
        str,
        Setting(
            "Where its parents reach it.",
            symbol="ENDPOINT",
            remark="a free port; on all addresses if the coordinator is not on this machine",
        ),
    ] = ""
    advertise: Annotated[
        str,
        Setting("Host it names to its parents: `auto`, `hostname`, or the host itself.", symbol="HOST"),
    ] = "auto"
    incarnation: Annotated[
        Annotated[int, Meta(ge=0)],
        Setting(
            "Which life of the agent this is, at least: {state} counts them, and may have been lost.",
            symbol="N",
        ),
    ] = 0
    coordinator_key: Annotated[
        Path | None,
        Setting("The coordinator's public key.", symbol="FILE", remark="from the file of its private key"),
    ] = None
    enrol: Annotated[
        Path | None,
        Setting("Make {key} if it is missing, and put its public half there.", symbol="FOLDER"),
    ] = None
    seal: Annotated[
        Path | None,
        Setting(
            "Seal every checkpoint with this key, made by `bnpg keys seal`, and let the coordinator keep it, "
            "which cannot read it: with an empty {state} the agent goes on from there.",
            symbol="FILE",
        ),
    ] = None
    sealed_from: Annotated[
        Annotated[int, Meta(ge=0)],
        Setting(
            "Refuse what the coordinator kept if the newest of it is of an earlier round than this.",
            symbol="ROUND",
        ),
    ] = 0
    archive: Annotated[
        bool, Setting("Put the theta of a run that is done aside: the next one starts anew.")
    ] = False
    spare: Annotated[bool, Setting("Wait, instead of ending, when the run has all the agents it needs.")] = (
        False
    )
    stay: Annotated[
        NotNegative,
        Setting(
            "Seconds to stay after a run that is done, unless SIGTERM comes: some launchers end everything "
            "at the first process that ends.",
            symbol="SECONDS",
            unit="seconds",
        ),
    ] = 0.0
    patience: Annotated[
        Positive,
        Setting("Seconds without any progress until it gives up.", symbol="SECONDS", unit="seconds"),
    ] = 600.0
    trace: Annotated[
        Path | None, Setting("Record the messages; all processes into one folder.", symbol="FOLDER")
    ] = None

    @property
    def agent_id(self) -> int:
        """Its id, or `UNASSIGNED`."""
        return UNASSIGNED if self.agent is None else self.agent
