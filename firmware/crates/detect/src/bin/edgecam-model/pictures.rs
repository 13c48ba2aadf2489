//! Pictures from files and cameras → frames.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use domain::{Colours, Frame, PixelFormat, Size};

/// Where a camera's newest picture is, behind its own address.
const SNAPSHOT: &str = "/snapshot.jpg";
/// A camera that takes longer for a picture has none.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The JPEG or PNG file `path` as a frame of number `seq`.
pub(crate) fn read(path: &Path, seq: u64) -> anyhow::Result<Frame> {
    let picture = image::open(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(frame(picture, seq))
}

fn frame(picture: image::DynamicImage, seq: u64) -> Frame {
    let pixels = picture.into_rgb8();
    let size = Size::new(pixels.width(), pixels.height());
    Frame {
        seq,
        pts: Duration::ZERO,
        captured: Duration::ZERO,
        tapped: Duration::ZERO,
        size,
        source_size: size,
        format: PixelFormat::Rgb,
        colours: Colours::default(),
        data: pixels.into_raw(),
    }
}

/// A folder of pictures.
#[derive(clap::Args)]
pub(crate) struct Folder {
    /// Folder with pictures (.jpg, .jpeg or .png) like those that the camera will see
    #[arg(long, value_name = "FOLDER")]
    pub(crate) images: Option<PathBuf>,
}

impl Folder {
    /// At most `most` pictures, evenly spread over the folder in the order of their names.
    pub(crate) fn read(&self, most: usize) -> anyhow::Result<Vec<Frame>> {
        let Some(folder) = &self.images else { return Ok(Vec::new()) };
        let entries = std::fs::read_dir(folder)
            .with_context(|| format!("looking through {}", folder.display()))?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
            if ["jpg", "jpeg", "png"].iter().any(|known| extension.eq_ignore_ascii_case(known)) {
                paths.push(path);
            }
        }
        paths.sort();
        let count = most.min(paths.len());
        (0..count).map(|at| read(&paths[at * paths.len() / count], at as u64)).collect()
    }
}

/// A camera that is running.
#[derive(clap::Args)]
pub(crate) struct Camera {
    /// Takes the pictures from a running camera instead, such as
    /// http://127.0.0.1:8080/api/v1/cameras/cam; with its overlay, if that is on
    #[arg(long, value_name = "URL", conflicts_with = "images")]
    pub(crate) camera: Option<String>,
    /// Seconds between two pictures of a camera
    #[arg(long, default_value_t = 1.0)]
    every: f64,
}

impl Camera {
    /// `count` pictures.
    pub(crate) fn take(&self, count: usize) -> anyhow::Result<Vec<Frame>> {
        let Some(camera) = &self.camera else { return Ok(Vec::new()) };
        let pause = Duration::try_from_secs_f64(self.every).context("--every is no time")?;
        let url = match camera.strip_suffix('/').unwrap_or(camera) {
            url if url.ends_with(SNAPSHOT) => url.to_owned(),
            url => format!("{url}{SNAPSHOT}"),
        };
        let config = ureq::Agent::config_builder().timeout_global(Some(ANSWER_WITHIN)).build();
        let agent = ureq::Agent::new_with_config(config);
        let snapshot = |at: usize| {
            if at > 0 {
                std::thread::sleep(pause);
            }
            let get = || agent.get(&url).call()?.body_mut().read_to_vec();
            let jpeg = get().with_context(|| format!("asking {url} for a picture"))?;
            let picture = image::load_from_memory(&jpeg)
                .with_context(|| format!("{url} did not answer with a picture"))?;
            Ok(frame(picture, at as u64))
        };
        (0..count).map(snapshot).collect()
    }
}
