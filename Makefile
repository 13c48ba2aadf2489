# Owns the commands of this project, one line each; the work is in firmware/setup
# and in cargo.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup run model test lint bench accuracy demo-model fuzz fuzz-api openapi cross arm-test image kernel-test ota-test ota-proofs power-cuts yocto-check yocto-lists clean

# All products live in one cache that every clone shares.
CACHE := $(or $(EDGECAM_CACHE),$(HOME)/.cache/edgecam)
export CARGO_TARGET_DIR ?= $(CACHE)/target
ifdef EDGECAM_CACHE
export EDGECAM_NCNN_DIR ?= $(CACHE)/ncnn/current
endif
# Debian keeps mosquitto where not every user's PATH looks.
export PATH := $(PATH):/usr/sbin
# Not on a command line: a source may hold a password, and any character.
ifdef SOURCE
export EDGECAM_SOURCE := $(value SOURCE)
endif
# In CI, Cargo.lock is the law.
LOCKED := $(if $(CI),--locked)

help: ## what there is to do
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  make %-11s %s\n", $$1, $$2 }'

setup: ## all set-up and nothing else (the others do what they need of it)
	@firmware/setup/setup.sh all

run: ## set up, build and run; SOURCE=clip.mp4, rtsp://..., /dev/video0 or libcamera (none: a synthetic street)
	@firmware/setup/setup.sh run
	@cargo build $(LOCKED) --release -p edgecamd -p edgecam-camera
	@exec "$$CARGO_TARGET_DIR/release/edgecamd"

model: ## fetch the detection model into the data folder; MODEL=name for another, FROM=folder where there is no network
	@firmware/setup/setup.sh run
	@cargo run $(LOCKED) --release -q -p edgecamd -- install-model $(MODEL) $(if $(FROM),--from "$(FROM)")

test: ## set up and run every check and test
	@firmware/setup/setup.sh test
	@firmware/setup/check.sh all

lint: ## formatting, clippy, dependencies and scripts; no tests
	@firmware/setup/setup.sh test
	@firmware/setup/check.sh lint

bench: ## measure: inference, overlay, the whole pipeline, load on the API, event latency, memory
	@firmware/setup/setup.sh test
	@cargo bench $(LOCKED) --workspace --bench '*'

accuracy: ## mAP of each model on COCO pictures; MODEL=name or manifest.toml, TILING=two, IMAGES=folder ANNOTATIONS=file.json for others
	@firmware/setup/setup.sh accuracy
	@EDGECAM_PYTHON="$(CACHE)/venv/bin/python3" cargo run $(LOCKED) --release -q -p edgecam-detect --bin edgecam-model -- accuracy $(if $(TILING),--tiling "$(TILING)",--int8) $(if $(MODEL),--model "$(MODEL)") $(if $(IMAGES),--images "$(IMAGES)") $(if $(ANNOTATIONS),--annotations "$(ANNOTATIONS)")

demo-model: ## train the demo model anew and judge it: up to an hour on 2 quiet cores
	@firmware/setup/setup.sh train
	@firmware/setup/demo-model.sh

fuzz-api: ## ask the running API 100,000 things made from its document; CASES=n for others
	@firmware/setup/setup.sh test
	@EDGECAM_API_CASES=$(or $(CASES),100000) cargo test $(LOCKED) -q -p edgecamd --test contract -- --nocapture

fuzz: ## fuzz each target; SECONDS=600 for each, TARGETS="structure tracker" for some
	@firmware/setup/setup.sh test
	@firmware/setup/fuzz.sh $(or $(SECONDS),600) $(TARGETS)

openapi: ## write api/openapi.json anew
	@cargo run -q -p edgecamd -- openapi > api/openapi.json.new && mv api/openapi.json.new api/openapi.json

cross: ## the product for a Raspberry Pi, built here
	@firmware/setup/cross.sh build

arm-test: ## geometry, detector and inference as on a Raspberry Pi, emulated
	@firmware/setup/cross.sh test

image: ## the card and the signed update; KERNEL=raspberrypi for cameras at the ribbon cable and the Pi 5
	@firmware/setup/cross.sh build
	@ota/image/build/image.sh $(or $(KERNEL),debian)

kernel-test: ## the image with the kernel of another archive, which stands in for Raspberry Pi's
	@firmware/setup/cross.sh build
	@ota/image/kernels/raspberrypi-test.sh

ota-test: ## boot the image in QEMU: first start, update, way back
	@ota/e2e/run.sh fast

ota-proofs: ## every promise of the image, in QEMU: an hour or more
	@ota/e2e/run.sh all

power-cuts: ## cut the power at random moments of updates; N=200
	@ota/e2e/run.sh cuts $(or $(N),10)

yocto-check: ## what bitbake says of the layer; LAYERS=folder with the layers it builds on (meta-edgecam/layers.sh fetches them)
	@meta-edgecam/yocto-check.sh "$(or $(LAYERS),$(error LAYERS is not set: meta-edgecam/layers.sh FOLDER fetches the layers))" $(MACHINES)

yocto-lists: ## write the layer's lists of crates and Go modules anew
	@for list in edgecam/edgecam-crates:crates.py mediamtx/mediamtx-modules:modules.sh; do \
	    file=meta-edgecam/recipes-edgecam/$${list%:*}.inc; \
	    meta-edgecam/scripts/$${list#*:} > $$file.new && mv $$file.new $$file || exit 1; done

clean: ## forget compiled Rust code, which all clones share (ncnn and MediaMTX stay)
	@cargo clean
