"""Loading a server over many connections at once: with wrk where it is installed, else with a client of our own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.http.servers import Server
from benchmarks.measure import Sample

CONNECTIONS = 32
_SCRIPT = """
local bodies, turn = {}, 0
for line in io.lines(os.getenv("BENCHMARK_BODIES")) do bodies[#bodies + 1] = line end
local requests = {}
init = function(args)
  for place, body in ipairs(bodies) do
    requests[place] = wrk.format("POST", args[1], {["content-type"] = "application/json"}, body)
  end
end
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
done = function(summary, latency, _)
  local errors = summary.errors
  io.write(string.format('\\nRESULT {"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "errors": %d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


def generator() -> str:
    """Return what makes the load."""
    return "wrk" if shutil.which("wrk") else "asyncio client (wrk is not installed; its own cost weighs on all rates)"


def load(server: Server, path: str, bodies: list[bytes], seconds: float) -> Sample:
    """Send the bodies over and over for some seconds; return requests per second with latency and processor time.

    Raises:
        RuntimeError: a request failed.
    """
    with TemporaryDirectory() as folder:
        lines = Path(folder, "bodies")
        lines.write_bytes(b"\n".join(bodies) + b"\n")
        before = server.cpu_seconds()
        found = (_wrk if shutil.which("wrk") else _own)(server.address, path, lines, seconds)
        cpu = server.cpu_seconds() - before
    if found["errors"] or not found["requests"]:
        raise RuntimeError(f"{server.address}{path}: {found['errors']:.0f} of {found['requests']:.0f} requests failed")
    return Sample(
        found["requests"] / found["seconds"],
        {"p50 ms": found["p50"], "p99 ms": found["p99"], "server CPU us": cpu / found["requests"] * 1e6},
    )


def _wrk(address: str, path: str, lines: Path, seconds: float) -> dict[str, float]:
    script = lines.with_name("load.lua")
    script.write_text(_SCRIPT)
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", str(script)]
    done = subprocess.run(
        ["wrk", *options, address, "--", path],
        env={"BENCHMARK_BODIES": str(lines)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.rpartition("RESULT ")[2])


def _own(address: str, path: str, lines: Path, seconds: float) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.http.client", address, path, str(lines), str(seconds)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
