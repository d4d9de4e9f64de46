"""A run's log for Weights & Biases: on its server if a key is known, else offline in the run folder."""

import logging
import os
import pathlib
import secrets
import shutil

from kfg.errors import InputError
from kfg.files import read_json, write_json

logger = logging.getLogger(__name__)

STATE_FILE = "kfg.json"  # {"id", "complete"}: a resumed run keeps the id
MODES = ("online", "offline", "disabled")  # values of WANDB_MODE
PATIENCE = 30  # seconds to wait for the server's answer before the log goes offline


class WandbLog:
    """Logs epochs by their number, settings as config, test figures as summary, and pictures as media.

    It never asks for a key. WANDB_MODE, WANDB_PROJECT (else "kfg") and WANDB_API_KEY or an earlier `wandb login` are
    respected. Without a key, or if the server does not answer, the log is offline, and `wandb sync` can send it later.
    A kill may cost an offline log its last seconds, so a resumed run writes a new one with all epochs and removes the
    old one.

    Args:
        folder: subfolder "wandb" of the run folder.
        name: name of the run on the server.
        settings: content of config.json.
    Raises:
        InputError: a WANDB_MODE that is not one of MODES; online without a key, or with a key that is refused; an
            environment variable that wandb does not accept.
    """

    def __init__(self, folder, *, name: str, settings: dict):
        self.folder = pathlib.Path(folder)
        path = self.folder / STATE_FILE
        self.state = read_json(path, dict) if path.is_file() else {"id": secrets.token_hex(4), "complete": False}
        self.sent = {}  # prefix -> number of rows sent
        self.run = None
        if not self.state["complete"]:
            write_json(path, self.state)
            self.run = begin(self.folder, name=name, settings=settings, run_id=self.state["id"])

    def epochs(self, rows, *, prefix: str) -> None:
        """Send the rows that were not sent yet; `prefix` + "epoch" is the axis for `prefix` + each other column."""
        if self.run is None:
            return
        for row in rows[self.sent.get(prefix, 0) :]:
            if prefix not in self.sent:
                for name in row:
                    self.run.define_metric(f"{prefix}{name}", step_metric=f"{prefix}epoch")
            self.sent[prefix] = self.sent.get(prefix, 0) + 1
            self._send({f"{prefix}{name}": value for name, value in row.items()})

    def results(self, values: dict[str, float], pictures: dict[str, pathlib.Path], *, step: int) -> None:
        """Send figures for the summary, and PNG files after the last epoch; `step` is for TensorBoard and not used."""
        if self.run is None:
            return
        import wandb

        self.sent["results"] = 1
        self._send({name: wandb.Image(str(path)) for name, path in pictures.items()})
        self.run.summary.update(values)
        self.state["complete"] = True

    def close(self, *, failed: bool) -> None:
        if self.run is not None:
            import wandb

            self.run.finish(exit_code=int(failed))
            wandb.teardown()  # `finish` returns before an offline log is on the disk
            write_json(self.folder / STATE_FILE, self.state)

    def _send(self, values):
        """Send values as the next step, unless the server has that step from an earlier session."""
        step = sum(self.sent.values())
        if step >= self.run.step:
            self.run.log(values, step=step, commit=True)


def begin(folder, *, name, settings, run_id):
    """Return a new or resumed wandb run, online if possible; None if WANDB_MODE is disabled."""
    import wandb

    quiet = {"silent": True, "console": "off", "init_timeout": PATIENCE}

    def init(mode):
        for old in folder.glob("offline-run-*"):
            shutil.rmtree(old)
        return wandb.init(
            project=os.environ.get("WANDB_PROJECT", "kfg"),
            name=name,
            id=run_id,
            dir=str(folder.parent),
            mode=mode,
            config=settings,
            resume="allow" if mode == "online" else None,
            settings=wandb.Settings(**quiet),
        )

    try:
        mode = chosen_mode(wandb)
        return None if mode == "disabled" else init(mode)
    except (wandb.errors.AuthenticationError, wandb.errors.UsageError) as error:
        wandb.teardown()  # it would keep these settings for the process's next run
        raise InputError(f"--track wandb: {error}") from error
    except wandb.errors.CommError as error:
        logger.warning("wandb: no answer from the server (%s); logging offline", str(error).splitlines()[0])
        wandb.teardown()  # it keeps the id of the failed attempt
        return init("offline")


def chosen_mode(wandb) -> str:
    """Return one of MODES: from WANDB_MODE, else online if a key is known and offline if not."""
    mode = os.environ.get("WANDB_MODE")
    if mode not in (None, *MODES):
        raise InputError(f"WANDB_MODE: {mode!r} is not one of {', '.join(MODES)}")
    if mode in ("offline", "disabled"):
        return mode
    wandb.setup(settings=wandb.Settings(silent=True))
    known = wandb.login(prompt=False, verify=False)
    if mode == "online" and not known:
        raise InputError("WANDB_MODE: online needs a key; set WANDB_API_KEY or run wandb login")
    return "online" if known else "offline"
