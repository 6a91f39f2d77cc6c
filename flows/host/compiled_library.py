"""Text of Python functions that compile C files of a build once, and load the library.

A module that has it sets `_FOLDER`, `_OPTIONS` of the compiler, `_SOURCES` in the folder,
`_WRAPPER`, the C text that is compiled, and the function `_loaded(path)`. It imports ctypes,
functools, hashlib, os, shlex, shutil, subprocess, tempfile and Path.
"""

LIBRARY = '''\
def _compiler():
    """The command of the C compiler."""
    chosen = shlex.split(os.environ.get("CC", ""))
    for command in (chosen, ["cc"], ["gcc"], ["clang"]):
        if command and shutil.which(command[0]):
            return command
    raise RuntimeError(
        "{name}_emulator.py needs a C compiler, and none is on PATH: install one (Debian: apt "
        "install gcc), or name it in the environment variable CC"
    )


@functools.cache
def _library():
    """The compiled emulator, from the cache where its sources have not changed."""
    command = [*_compiler(), *_OPTIONS, "-I", str(_FOLDER), "-x", "c", "-"]
    key = hashlib.sha256(shlex.join(command).encode() + _WRAPPER.encode())
    for source in _SOURCES:
        key.update((_FOLDER / source).read_bytes())
    cache = _FOLDER / "__pycache__"
    kept = cache / f"{name}_emulator.{{key.hexdigest()[:16]}}.so"
    if kept.exists():
        return _loaded(kept)
    try:
        cache.mkdir(exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=cache)
    except OSError:
        # A folder that cannot be written: the library lasts as long as this process.
        folder = tempfile.TemporaryDirectory()
    with folder as place:
        library = Path(place, kept.name)
        command += ["-o", str(library)]
        result = subprocess.run(command, input=_WRAPPER, capture_output=True, text=True)
        if result.returncode != 0:
            raise RuntimeError(f"{{shlex.join(command)}} failed:\\n{{result.stderr}}")
        loaded = _loaded(library)
        if Path(place).parent == cache:
            library.replace(kept)
    return loaded


'''
"""Functions `_compiler` and `_library`, for `str.format` with the name of the network."""
