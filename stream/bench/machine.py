"""What a figure was measured on. A figure without it says little."""

from __future__ import annotations

import os
import platform
import resource
from importlib.metadata import version
from pathlib import Path

from stream import __version__
from stream.kafka.jars import KAFKA_VERSION

LIBRARIES = ("aiokafka", "faust-streaming", "msgspec", "numba", "numpy", "orjson")  # those whose speed shows


def facts() -> dict[str, object]:
    """Cores, processor, system and versions."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "kafka": KAFKA_VERSION,
        "segstream": __version__,
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text("utf-8", "replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def cpu_s() -> float:
    """Processor time this process has used: what its work costs, whoever else is on the machine."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
