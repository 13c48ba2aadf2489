//! A quantized model as the product takes it: its files and a manifest, written into a folder and then
//! loaded from there as a camera would load them.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use api::manifest::{ModelFile, ModelManifest};
use manifest::ManifestError;

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

/// Loads `quantized` and its manifest as a camera would: hashes, ncnn's own opinion, the shapes of one
/// inference; then puts them into `dir`, which is made where it is absent. Files of the same names are
/// replaced whole, one after the other: who reads them meanwhile sees the old or the new ones, and by
/// the hashes whether they belong together.
///
/// # Errors
/// [`Error::WriteFile`]; [`Error::Quantize`] when nothing is in 8 bits or the file did not shrink; those
/// of [`Detector::load`].
pub fn write(dir: &Path, float: &ModelManifest, quantized: &Quantized) -> Result<Package, Error> {
    check(quantized)?;
    let manifest = manifest(float, quantized);
    std::fs::create_dir_all(dir).map_err(|source| failed(dir, source))?;
    let part = tempfile::tempdir_in(dir).map_err(|source| failed(dir, source))?;
    let text = text(&manifest)?;
    let toml = format!("{}.toml", manifest.name);
    // The manifest last, so that it never stands without its files.
    let files = [
        (&manifest.param.file, quantized.param.as_bytes()),
        (&manifest.bin.file, &quantized.bin),
        (&toml, text.as_bytes()),
    ];
    for (name, bytes) in files {
        let path = part.path().join(name);
        put(&path, bytes).map_err(|source| failed(&path, source))?;
    }
    let manifest = crate::manifest::load(&part.path().join(&toml))?;
    let found = locate::locate(&manifest, &[part.path().to_owned()])?;
    let options = DetectorOptions { precision: Precision::Full, ..DetectorOptions::default() };
    Detector::load(&manifest, &found, options)?;
    for (name, _) in files {
        let path = dir.join(name);
        std::fs::rename(part.path().join(name), &path).map_err(|source| failed(&path, source))?;
    }
    let files = locate::locate(&manifest, &[dir.to_owned()])?;
    Ok(Package { manifest, manifest_file: dir.join(toml), files })
}

/// Writes `map`, measured on COCO pictures in percent, into the manifest `file`; comments there are lost.
///
/// # Errors
/// [`Error::WriteFile`]; those of [`crate::manifest::load`].
pub fn record_map(file: &Path, map: f64) -> Result<(), Error> {
    let coco_map = Some((map * 10.0).round() as f32 / 10.0);
    let text = text(&ModelManifest { coco_map, ..crate::manifest::load(file)? })?;
    let part = file.with_extension("toml.part");
    put(&part, text.as_bytes()).map_err(|source| failed(&part, source))?;
    std::fs::rename(&part, file).map_err(|source| failed(file, source))
}

fn text(manifest: &ModelManifest) -> Result<String, Error> {
    let text = toml::to_string(manifest).map_err(|error| ManifestError::Contradiction {
        name: manifest.name.clone(),
        reason: format!("it cannot be written as TOML: {error}"),
    })?;
    Ok(text)
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::WriteFile { path: path.to_owned(), source }
}

/// Writes a file down to the disk.
fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::super::{Options, Quantizer};
    use super::*;

    #[test]
    fn a_measured_accuracy_stands_in_the_manifest_and_nothing_else_changes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mine.toml");
        let before = ModelManifest { coco_map: None, ..crate::manifest::built_in().remove(0) };
        std::fs::write(&file, toml::to_string(&before).unwrap()).unwrap();
        record_map(&file, 26.149).unwrap();
        let after = crate::manifest::load(&file).unwrap();
        assert_eq!(after, ModelManifest { coco_map: Some(26.1), ..before });
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    /// The demo model in 8 bits, as far as one grey picture tells.
    fn quantized(manifest: &ModelManifest, files: &ModelFiles) -> Quantized {
        let network = read(manifest, files).unwrap();
        let (options, outputs) = (Options::default(), outputs(manifest));
        let job = Quantizer {
            network: &network,
            options: &options,
            outputs: &outputs,
            progress: &mut |_| {},
            cancel: &AtomicBool::new(false),
        };
        let (width, height) = (manifest.input.width as usize, manifest.input.height as usize);
        job.run(&[ncnn::Mat::filled(width, height, 3, 0.5).unwrap()]).unwrap()
    }

    #[test]
    fn a_model_that_is_written_again_replaces_the_old_files_and_does_not_change_them() {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/demo");
        let float = crate::manifest::load(&demo.join("demo.toml")).unwrap();
        let mut made = quantized(&float, &locate::locate(&float, &[demo]).unwrap());
        let dir = tempfile::tempdir().unwrap();
        let first = write(dir.path(), &float, &made).unwrap();
        // As whoever has the file open sees it.
        let open = dir.path().join("open");
        std::fs::hard_link(&first.files.bin, &open).unwrap();
        let before = made.bin.clone();
        *made.bin.last_mut().unwrap() ^= 1;
        let second = write(dir.path(), &float, &made).unwrap();
        assert_eq!(std::fs::read(open).unwrap(), before);
        assert_eq!(std::fs::read(&second.files.bin).unwrap(), made.bin);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4, "nothing else is left");
    }
}
