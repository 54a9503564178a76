"""What a connection may ask of the monitor: one function per request."""

from collections.abc import Callable
from typing import Any

from wherry.kit.errors import Conflict, InvalidInput, Unsupported
from wherry.monitor.client import Client, take_socket
from wherry.monitor.container import Container
from wherry.monitor.logrequests import LogRequests
from wherry.monitor.loop import Loop
from wherry.monitor.protocol import VERSION, AttachOptions, ExecLaunch
from wherry.monitor.replay import Replay
from wherry.monitor.server import Answer, Connection

Fields = dict[str, Any]


class Requests:
    """Dispatches by the field `do`."""

    __slots__ = ("_container", "_known", "_logs", "_loop")

    def __init__(self, loop: Loop, container: Container) -> None:
        self._loop = loop
        self._container = container
        self._logs = LogRequests(container.log, container.request.log.driver)
        self._known: dict[str, Callable[[Fields, list[int], Answer], None]] = {
            "start": self._start,
            "attach": self._attach,
            "exec": self._exec,
            "expect_exec": self._expect_exec,
            "resize": self._resize,
            "kill": self._kill,
            "descriptors": self._descriptors,
        }

    def handle(
        self, connection: Connection, fields: Fields, fds: list[int], answer: Answer
    ) -> None:
        """Do what is asked. Raises WherryError, OSError; KeyError and the like for bad fields."""
        if "hello" in fields:
            connection.events = fields["hello"].get("events", True)
            return
        name = str(fields["do"])
        if name.startswith("log_"):
            self._logs.handle(connection, name, fields, answer)
        elif name in self._known:
            self._known[name](fields, fds, answer)
        else:
            raise Unsupported(f"this monitor does not know the request {name!r}")

    def hello(self) -> Fields:
        """What a new connection is told first; `version` is that of the protocol."""
        container = self._container
        process = container.process
        return {
            "version": VERSION,
            "phase": container.phase,
            "init": process.identity._asdict() if process else None,
            "started": process.started if process else 0,
            "execs": container.execs.running(),
            "exit": container.exit.to_fields() if container.exit else None,
        }

    def _start(self, _fields: Fields, _fds: list[int], answer: Answer) -> None:
        self._container.start()
        process = self._container.running()
        answer({"ok": {"started": process.started}})

    def _attach(self, fields: Fields, fds: list[int], answer: Answer) -> None:
        options = AttachOptions.from_fields(fields["options"])
        stdio = self._container.running().stdio
        if len(fds) != 1:
            raise InvalidInput(f"attach needs one socket, {len(fds)} descriptors came")
        driver = self._container.request.log.driver
        replay = None
        if options.logs and driver != "none":
            replay = Replay(self._container.log, driver)
        sock = take_socket(fds.pop())
        attach_id = str(fields.get("attach", ""))
        client = Client(self._loop, sock, options, stdio, attach_id, replay)
        answer({"ok": {}})
        stdio.join(client)

    def _exec(self, fields: Fields, fds: list[int], answer: Answer) -> None:
        launch = ExecLaunch.from_fields(fields["exec"])
        if self._container.phase != "running":
            raise Conflict(
                f"container {self._container.request.container_id} is {self._container.phase}"
            )
        sock = take_socket(fds.pop()) if fds else None
        try:
            process = self._container.execs.launch(launch, sock)
        except BaseException:
            if sock is not None:
                sock.close()
            raise
        answer({"ok": process.identity._asdict()})

    def _expect_exec(self, _fields: Fields, _fds: list[int], answer: Answer) -> None:
        if self._container.phase == "running":
            self._container.execs.expect()
        answer({"ok": {}})

    def _resize(self, fields: Fields, _fds: list[int], answer: Answer) -> None:
        self._process(fields).resize(int(fields["columns"]), int(fields["rows"]))
        answer({"ok": {}})

    def _kill(self, fields: Fields, _fds: list[int], answer: Answer) -> None:
        number = int(fields["signal"])
        if fields.get("exec"):
            self._process(fields).kill(number)
        else:
            self._container.kill(number, everyone=bool(fields.get("everyone")))
        answer({"ok": {}})

    def _descriptors(self, _fields: Fields, _fds: list[int], answer: Answer) -> None:
        answer({"ok": {}}, self._container.descriptors())

    def _process(self, fields: Fields) -> Any:
        if fields.get("exec"):
            return self._container.execs.get(str(fields["exec"]))
        return self._container.running()
