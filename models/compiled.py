"""The one place that decides how kernel functions are compiled.

Kernel functions are plain scalar Python. numba compiles them; with NUMBA_DISABLE_JIT=1 the same functions run
as they stand and give the same bits (a test holds the two together).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core.cgutils import ir, raw_memcpy  # type: ignore[attr-defined]  # llvmlite of the version that numba pins
from numpy.typing import NDArray

CACHE_LINE_BYTES = 64  # of every processor that is common on servers

F = TypeVar("F", bound=Callable[..., object])
_memcpy: Any = raw_memcpy
_config: Any = numba.config  # its attributes are made at run time


_PLACE = _config.CACHE_DIR or files("models") / "__pycache__"  # as it was set before we name folders in it


# numba's cache notices an edit in a function's own file, but not in those it calls: after an upgrade it would run
# the old rules. A folder for each state of the sources cannot.
@cache
def cache_of(package: str) -> str:
    """The folder of what is compiled of a package's kernels: named by the sources of the core and of that package."""
    content, folders = hashlib.sha256(), [files("models")]
    if package and package.partition(".")[0] != "models":  # one outside the core: a codec, or a script's own kernel
        folders.append(files(package))
    for folder in folders:
        for entry in sorted(folder.iterdir(), key=lambda one: one.name):
            if entry.is_dir() and entry.name != "__pycache__":
                folders.append(entry)
            elif entry.name.endswith(".py"):
                content.update(entry.read_bytes())
    return f"{_PLACE}/kernels-{content.hexdigest()[:16]}"


# _nrt=False (private to numba, hence the pin): nothing is allocated in a kernel, so no references need counting.
# With it every call counts each array it is handed, in an atomic operation, and that is more than half of the time.
_OPTIONS: dict[str, Any] = {"cache": True, "fastmath": False, "_nrt": False}


def inlined(function: F) -> F:
    """As kernel, put into every caller: a call hands over up to 170 numbers, one array being seven of them."""
    return _compiled(function, inline=True)


def kernel(function: F) -> F:
    """Compile a kernel function, cached on disk; no fast-math, so that every machine rounds alike."""
    return _compiled(function, inline=False)


def _compiled(function: F, *, inline: bool) -> F:
    _config.CACHE_DIR = cache_of(
        function.__module__.rpartition(".")[0]
    )  # numba reads it here; where it cannot be written numba keeps its own place
    return cast("F", numba.njit(**_OPTIONS, forceinline=inline)(function))  # False: else as the first caller has it


def records(array: NDArray[Any]) -> Any:
    """A record array as kernel functions take it: as it is, since numba asks a `recarray` for its type anew at every
    call (5 us), and with attributes where the functions run as plain Python.
    """
    return array.view(np.recarray) if _config.DISABLE_JIT else array


def _prefetching(_: Any, array: Any, place: Any) -> Any:  # noqa: ARG001 - numba's parameter names are the function's
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = signature.args[0]
        held = context.make_array(kind)(context, builder, values[0])
        size_bytes = context.get_abi_sizeof(context.get_data_type(kind.dtype))
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        call = builder.module.declare_intrinsic(
            "llvm.prefetch", (byte,), ir.FunctionType(ir.VoidType(), (byte, number, number, number))
        )
        first = builder.mul(values[1], ir.Constant(values[1].type, size_bytes))
        for line in range(0, size_bytes + CACHE_LINE_BYTES - 1, CACHE_LINE_BYTES):  # it may lie across one line more
            at = builder.add(first, ir.Constant(first.type, line))
            where = builder.gep(builder.bitcast(held.data, byte), [at], source_etype=ir.IntType(8))
            builder.call(call, [where, number(1), number(3), number(1)])  # for writing, to stay, of data
        return context.get_dummy_value()

    return numba.types.void(array, numba.types.int64), generate


_prefetch: Any = (lambda *_: None) if _config.DISABLE_JIT else numba.extending.intrinsic(_prefetching)


@inlined
def prefetch(array: Any, place: int) -> None:
    """Begin to fetch an entry of an array from memory, whole; it changes nothing but the time until it is read."""
    _prefetch(array, place)


def _standing_apart(_: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ARG001 - as above
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return numba.types.void(), generate


# Called first in a kernel function: it is never put into its callers, as LLVM does with whatever it can. For what is
# called in many places with few numbers, or seldom: it compiles faster, and the code that runs stays in the cache.
stand_apart: Any = (lambda: None) if _config.DISABLE_JIT else numba.extending.intrinsic(_standing_apart)


def _copying(_: Any, out: Any, at: Any, data: Any, start: Any, length: Any) -> Any:  # noqa: ARG001 - as above
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        places = []
        for k in (0, 2):
            held = context.make_array(signature.args[k])(context, builder, values[k])
            byte = builder.bitcast(held.data, ir.IntType(8).as_pointer())
            places.append(builder.gep(byte, [values[k + 1]], source_etype=ir.IntType(8)))
        _memcpy(builder, *places, values[4], 1)
        return context.get_dummy_value()

    number = numba.types.int64
    return numba.types.void(out, number, data, number, number), generate


_copy: Any = None if _config.DISABLE_JIT else numba.extending.intrinsic(_copying)


if _config.DISABLE_JIT:

    def copy(out: Any, at: int, data: Any, start: int, length: int) -> None:
        """As below, in plain Python."""
        out[at : at + length] = data[start : start + length]

else:

    @inlined
    def copy(out: Any, at: int, data: Any, start: int, length: int) -> None:
        """Copy so many bytes of `data` from `start` on to `out[at]`; nobody looks whether they are there.

        A loop over bytes, which looks at each place for its sign, takes four times as long.
        """
        _copy(out, at, data, start, length)
