//! A quantized model as the product takes it: its files and a manifest, written into a folder and then
//! loaded from there as a camera would load them.

use std::path::{Path, PathBuf};

use api::manifest::{ModelFile, ModelManifest};

use super::{Network, QuantizeError, Quantized};
use crate::{Detector, DetectorOptions, Error, ModelFiles, Precision, locate, model};

/// Ends the name of a quantized model.
pub const SUFFIX: &str = "_int8";

/// A quantized model in a folder.
#[derive(Clone, Debug)]
pub struct Package {
    /// What it is.
    pub manifest: ModelManifest,
    /// Its manifest's file.
    pub manifest_file: PathBuf,
    /// Its two files.
    pub files: ModelFiles,
}

/// The floating-point model that `manifest` describes, read from `files` and held against its hashes.
///
/// # Errors
/// [`Error::ReadFile`], [`Error::Misfit`] and [`Error::Quantize`].
pub fn read(manifest: &ModelManifest, files: &ModelFiles) -> Result<Network, Error> {
    let param = model::read(manifest, &manifest.param, &files.param)?;
    let bin = model::read(manifest, &manifest.bin, &files.bin)?;
    Ok(Network::read(&String::from_utf8_lossy(&param), &bin)?)
}

/// Names of the blobs that `manifest` reads from the network.
pub fn outputs(manifest: &ModelManifest) -> Vec<String> {
    manifest.heads.iter().flat_map(|head| head.blobs()).map(str::to_owned).collect()
}

/// The manifest of `quantized`, which was made of the model that `float` describes: another name, other
/// files. Nobody publishes them, so they have no address.
pub fn manifest(float: &ModelManifest, quantized: &Quantized) -> ModelManifest {
    let name = format!("{}{SUFFIX}", float.name);
    let file = |extension: &str, bytes: &[u8]| ModelFile {
        file: format!("{name}.{extension}"),
        url: None,
        sha256: model::sha256(bytes),
    };
    ModelManifest {
        title: format!("{} INT8", float.title),
        param: file("param", quantized.param.as_bytes()),
        bin: file("bin", &quantized.bin),
        name: name.clone(),
        // That of the floating-point model is not its own.
        coco_map: None,
        ..float.clone()
    }
}

/// Writes `quantized` and its manifest into `dir`, which is made where it is absent, and loads it from
/// there: hashes, ncnn's own opinion, the shapes of one inference.
///
/// # Errors
/// [`Error::WriteFile`]; [`Error::Quantize`] when nothing is in 8 bits or the file did not shrink; those
/// of [`Detector::load`].
pub fn write(dir: &Path, float: &ModelManifest, quantized: &Quantized) -> Result<Package, Error> {
    check(quantized)?;
    let manifest = manifest(float, quantized);
    let path = |name: &str| dir.join(name);
    let put = |path: PathBuf, bytes: &[u8]| {
        std::fs::write(&path, bytes).map_err(|source| Error::WriteFile { path, source })
    };
    std::fs::create_dir_all(dir)
        .map_err(|source| Error::WriteFile { path: dir.to_owned(), source })?;
    put(path(&manifest.param.file), quantized.param.as_bytes())?;
    put(path(&manifest.bin.file), &quantized.bin)?;
    let text = toml::to_string(&manifest).map_err(|error| Error::Contradiction {
        name: manifest.name.clone(),
        reason: format!("it cannot be written as TOML: {error}"),
    })?;
    // Last, so that a manifest never stands without its files.
    let manifest_file = path(&format!("{}.toml", manifest.name));
    put(manifest_file.clone(), text.as_bytes())?;
    let manifest = crate::manifest::load(&manifest_file)?;
    let files = locate::locate(&manifest, &[dir.to_owned()])?;
    let options = DetectorOptions { precision: Precision::Full, ..DetectorOptions::default() };
    Detector::load(&manifest, &files, options)?;
    Ok(Package { manifest, manifest_file, files })
}

/// Whether the model is in 8 bits in more than name.
fn check(quantized: &Quantized) -> Result<(), QuantizeError> {
    let report = &quantized.report;
    if report.quantized() == 0 || quantized.bin.len() >= report.float_bytes {
        let reason = format!(
            "{} layers are in 8 bits, its weights take {} bytes and took {}",
            report.quantized(),
            quantized.bin.len(),
            report.float_bytes
        );
        return Err(QuantizeError::Unusable { reason });
    }
    Ok(())
}
