"""Makes torch importable without its CUDA libraries, by building empty ones beside it.

The torch wheel of the package index is linked against a dozen CUDA libraries, which come as 2.5 GB of further wheels.
Training this model needs none of them, but the loader refuses to start torch while they are missing. For each missing
library this script compiles a stub with the right name and the symbols that torch wants, each of which returns "no
device"; `torch.cuda.is_available()` is then False, and everything on the CPU works. Libraries that are present are
left alone. Needs gcc and binutils. Run it with the interpreter whose torch it should mend.
"""

import importlib.util
import re
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

NO_DEVICE = 100  # cudaErrorNoDevice
_CUDA_LIBRARY = re.compile(r"lib(cu|nccl|nvrtc|nvshmem)")
_RETURNS_TEXT = re.compile(r"String|Name$")
# Unversioned symbols say by their prefix where they live; the longer prefix comes first.
_PREFIXES = [
    ("libnccl", r"p?nccl"), ("libcufile", r"cuFile"), ("libnvrtc", r"nvrtc"), ("libcusparseLt", r"cusparseLt"),
    ("libcupti", r"cupti"), ("libnvshmem_host", r"nvshmem"), ("libcusolver", r"cusolver"), ("libcudnn", r"cudnn"),
    ("libcublasLt", r"cublasLt"), ("libcublas", r"cublas"), ("libcufft", r"cufft"), ("libcusparse", r"cusparse"),
    ("libcudart", r"(cuda[A-Z]|__cuda)"), ("libcuda", r"cu[A-Z]")]


def main():
    torch_libraries = Path(importlib.util.find_spec("torch").submodule_search_locations[0], "lib")
    objects = sorted(torch_libraries.glob("*.so"))
    missing = missing_libraries(objects, {path.name for path in torch_libraries.iterdir()})
    for library, symbols in sorted(symbols_by_library(objects, missing).items()):
        build_stub(torch_libraries / library, symbols)
        print(f"{library}: {len(symbols)} stubs")


def missing_libraries(objects, present):
    needed = {name for path in objects for name in re.findall(r"NEEDED.*\[(.*?)\]", _output("readelf", "-d", path))}
    return {name for name in needed - present if _CUDA_LIBRARY.match(name)}


def symbols_by_library(objects, missing):
    """`{library: {(symbol, version)}}`: what torch's objects leave undefined, under the library that should have it."""
    found = {library: set() for library in missing}
    for path in objects:
        for line in _output("nm", "-D", "--undefined-only", path).splitlines():
            symbol, _, version = line.split()[-1].partition("@")
            version = version.lstrip("@")
            library = _home_of(symbol, version, missing)
            if library:
                found[library].add((symbol, version))
    return found


def build_stub(path, symbols):
    functions, versions = [], defaultdict(list)
    for symbol, version in sorted(symbols):
        body = f'const char *{symbol}(void) {{ return "stub"; }}' if _RETURNS_TEXT.search(symbol) else f"long {symbol}(void) {{ return {NO_DEVICE}; }}"
        functions.append(body)
        if version:
            versions[version].append(symbol)
    with tempfile.TemporaryDirectory() as scratch:
        source, script = Path(scratch, "stub.c"), Path(scratch, "stub.map")
        source.write_text("\n".join(functions) + "\n")
        script.write_text("".join(f"{version} {{ global: {'; '.join(names)}; }};\n" for version, names in versions.items()))
        versioned = [f"-Wl,--version-script={script}"] if versions else []
        subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-fno-builtin", *versioned, f"-Wl,-soname,{path.name}", "-o", path, source], check=True)


def _home_of(symbol, version, missing):
    if version == "NVSHMEM":
        return next((library for library in missing if library.startswith("libnvshmem_host.")), None)
    if version:
        return version if version in missing else None
    for stem, prefix in _PREFIXES:
        if re.match(prefix, symbol):
            return next((library for library in missing if library.startswith(stem + ".")), None)
    return None


def _output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
