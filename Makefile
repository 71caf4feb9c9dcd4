# The commands of a newcomer. Everything else is CMake presets (CMakePresets.json) and scripts in tools/.
#   make run    install what is missing, build, start the whole stack with the sample application
#   make test   install, build, run every test and check; ends with "N passed, N failed"
SHELL := /bin/sh
DATA ?= $(CURDIR)/build/data

.PHONY: all build run test lint bench fuzz soak clean ui deb image dist cross test-deploy test-backup-long test-faults-long test-boot install-run install-test install-rivals install-cross \
	install-boot install-vm test-boot-qemu

all: build

install-run:
	@tools/install.sh run
install-test:
	@tools/install.sh run test cross
install-cross:
	@tools/install.sh run cross
install-boot:
	@tools/install.sh run test cross boot
install-vm:
	@tools/install.sh run test cross boot vm
install-rivals:
	@tools/install.sh run test rivals

ui: install-run
	@tools/build_ui.sh

# Leaves the program at build/cairn.
build: install-run ui
	@cmake --preset release >build-release.log 2>&1 || { cat build-release.log; exit 1; }
	@rm -f build-release.log
	@ninja -C build cairn

run: build
	@exec build/cairn serve --demo --data="$(DATA)"

test: install-test
	@tools/test.sh

lint: install-test
	@tools/lint.sh

bench: install-rivals build
	@bench/run.sh

# FUZZ_SECONDS for each target.
fuzz: install-test
	@tools/fuzz.sh $${FUZZ_SECONDS:-60}

# Backups killed at every disk operation, every object damaged: minutes.
test-backup-long: install-test build
	@cmake --preset dev >/dev/null && ninja -C build-dev cairn unit_disk >/dev/null
	@tests/backup/run.sh long

# Every fault of docs/faults.md at more places, with more seeds.
test-faults-long: install-test build
	@tests/faults/run.sh long

soak: install-test build
	@tools/soak.sh

clean:
	rm -rf build build-dev build-clang build-tsan build-fuzz build-cov build-arm64 ui/dist

# The program for arm64 too, at build-arm64/cairn, unless this machine is one.
cross: install-cross build
	@case $$(dpkg --print-architecture) in arm64) ;; *) \
	    deploy/packages/cross.sh >build/cross.log 2>&1 || { tail -40 build/cross.log; exit 1; } ;; esac

# Debian packages of the built program, in build/packages: this machine's architecture, and arm64.
deb: cross
	@deploy/packages/make_deb.sh
	@[ ! -e build-arm64/cairn ] || deploy/packages/make_deb.sh build-arm64/cairn arm64

# A container image of both, made without a container engine, in build/dist.
image: cross
	@deploy/image/make_image.py build/dist build/cairn $$(ls build-arm64/cairn 2>/dev/null)

# A release: packages, image, tarballs, the lists of what is inside, SHA256SUMS; in build/dist.
dist: cross
	@deploy/image/make_dist.sh build/dist build/cairn $$(ls build-arm64/cairn 2>/dev/null)

test-deploy: install-test build
	@tests/deploy/run.sh

# Long, and needs root: the packages and the user data in a Debian 12 that boots.
test-boot: install-boot deb
	@tests/deploy/boot.sh

# One small instance on a kernel of its own, in qemu: swap, reboot, power cuts. Needs root; half an hour where KVM does not work.
test-boot-qemu: install-vm deb
	@tests/deploy/boot.sh kernel
