//! What is compared: our parts, and how others do the same with ncnn.

use api::manifest::{ChannelOrder, ModelManifest};
use domain::{BBox, Frame, PixelFormat, Size};
use edgecam_detect::preprocess::{Placement, Preprocessor};
use edgecam_detect::{DetectorOptions, ModelFiles, Precision};
use ncnn::{Mat, Net, Opt, PixelOrder};

/// Our way from a frame to the network's input.
pub(crate) struct OurInput<'f>(Preprocessor, &'f Frame);

impl<'f> OurInput<'f> {
    pub(crate) fn new(manifest: &ModelManifest, frame: &'f Frame) -> Self {
        Self(Preprocessor::new(manifest.input.clone()), frame)
    }

    pub(crate) fn make(&mut self) {
        self.0.run(self.1, BBox::WHOLE).expect("a frame that fits");
    }
}

/// ncnn's own way there, from RGB: scale, pad, normalise.
pub(crate) struct NcnnInput<'f>(&'f ModelManifest, &'f Frame);

impl<'f> NcnnInput<'f> {
    pub(crate) fn new(manifest: &'f ModelManifest, frame: &'f Frame) -> Self {
        assert_eq!(frame.format, PixelFormat::Rgb);
        Self(manifest, frame)
    }

    pub(crate) fn make(&self) -> Mat {
        let Self(manifest, frame) = self;
        let model = &manifest.input;
        let placed = Placement::new(model, BBox::WHOLE, frame.size);
        let to = match model.channels {
            ChannelOrder::Rgb => PixelOrder::Rgb,
            ChannelOrder::Bgr => PixelOrder::Bgr,
        };
        let pair = |size: Size| (size.width as usize, size.height as usize);
        let scaled = pair(placed.scaled);
        let mat = Mat::from_pixels(&frame.data, pair(frame.size), PixelOrder::Rgb, scaled, to);
        let mut mat = mat.expect("a picture that fits");
        if placed.scaled != placed.input {
            let (left, top) = (placed.left as usize, placed.top as usize);
            let right = placed.input.width as usize - left - scaled.0;
            let bottom = placed.input.height as usize - top - scaled.1;
            mat = mat.with_border((top, bottom, left, right), 0.0).expect("memory");
        }
        mat.substract_mean_normalize(&model.mean, &model.norm).expect("three channels");
        mat
    }
}

/// A network and nothing around it: an input that is there already, each output extracted.
pub(crate) struct Bare<'m> {
    manifest: &'m ModelManifest,
    net: Net,
    input: Mat,
}

impl<'m> Bare<'m> {
    pub(crate) fn new(
        manifest: &'m ModelManifest,
        files: &ModelFiles,
        opt: &Opt,
        input: Mat,
    ) -> Self {
        let net = Net::load(&files.param, &files.bin, opt).expect("a model that fits");
        Self { manifest, net, input }
    }

    pub(crate) fn run(&self) {
        let mut run = self.net.extractor().expect("memory");
        run.input(&self.manifest.input.blob, &self.input).expect("an input");
        for blob in self.manifest.heads.iter().flat_map(|head| head.blobs()) {
            run.extract(blob).expect("an output");
        }
    }
}

/// The options with which ncnn runs by itself at our precision.
pub(crate) fn stock(threads: u32, precision: Precision) -> Opt {
    Opt { pools: false, ..DetectorOptions { threads, precision }.to_ncnn() }
}

/// NanoStream's: `use_packing_layout = false`, 32-bit floats.
pub(crate) fn nanostream() -> Opt {
    Opt { packing_layout: false, ..stock(1, Precision::Full) }
}
