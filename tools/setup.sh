#!/usr/bin/env bash
# Make a virtual environment from nothing: tools/setup.sh FOLDER EXTRAS
#
# Debian packages that are missing are installed where that is allowed (root, or sudo without a password) and named
# where it is not. Python packages get the versions of constraints.txt. PYTHON=... chooses another interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'setup: %s\n' "$*"; }
fail() { say "$*" >&2 && exit 1; }

# Run a command and show what it prints only if it fails.
run_quietly() {
  local output
  output=$("$@" 2>&1) || fail "'$*' failed: $output"
}

find_python() {
  local candidate candidates=(python3.11 python3)
  [[ -z ${PYTHON:-} ]] || candidates=("$PYTHON")
  for candidate in "${candidates[@]}"; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate" && return
    fi
  done
  fail "no Python of version 3.11 or later as ${candidates[*]}; install one, or name it with PYTHON=..."
}

is_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# Install the Debian packages that are missing, or name them and go on.
install_system_packages() {
  local package missing=() as_root=()
  for package in "$@"; do is_installed "$package" || missing+=("$package"); done
  ((${#missing[@]})) || return 0
  if ((EUID)) && sudo -n true 2>/dev/null; then as_root=(sudo -n); fi
  if ! command -v apt-get >/dev/null || { ((EUID)) && ((!${#as_root[@]})); }; then
    say "these system packages are missing and only an administrator can install them: ${missing[*]}"
    return 0
  fi
  say "installing the system packages ${missing[*]}"
  run_quietly "${as_root[@]}" apt-get update
  run_quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}"
}

make_environment() {
  "$folder/bin/python" -m pip --version >/dev/null 2>&1 && return
  say "creating $folder with $("$python" --version)"
  "$python" -m venv --clear "$folder" >/dev/null ||
    fail "cannot create $folder with '$python'; install the system packages named above, then try again"
}

install_python_packages() {
  # Settings of the machine that would send the packages elsewhere, or ask for other versions.
  unset PIP_CONSTRAINT PIP_BUILD_CONSTRAINT PIP_NO_DEPS PIP_PREFIX PIP_TARGET PIP_USER PYTHONHOME PYTHONPATH
  local install=("$folder/bin/python" -m pip install -qq --no-input --disable-pip-version-check)
  say "installing the Python packages of constraints.txt (minutes the first time, torch is large)"
  # These build the project in an environment of their own; here they let "make constraints" see their versions.
  "${install[@]}" --constraint constraints.txt pip hatchling hatch-vcs
  "${install[@]}" --constraint constraints.txt --build-constraint constraints.txt --editable ".[$extras]"
}

folder=$1
extras=$2
python=$(find_python)

system_packages=()
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
  system_packages+=("$("$python" -c 'import sys; print("python{}.{}-venv".format(*sys.version_info))')")
# What Qt and OpenGL need to open windows on a virtual screen.
[[ $extras != *gui-test* ]] ||
  system_packages+=(
    xvfb xauth libegl1 libgl1 libgl1-mesa-dri libdbus-1-3 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4
    libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0
  )
install_system_packages "${system_packages[@]}"

make_environment
install_python_packages
touch "$folder/.ready"
say "$folder is ready"
