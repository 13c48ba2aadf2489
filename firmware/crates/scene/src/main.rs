//! `edgecam-scene`: pictures and data sets of the generated street, as files.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use domain::Size;
use edgecam_scene::Truth;
use edgecam_scene::dataset::{self, CATEGORIES, LEAST_VISIBLE, Looks, Split};
use serde_json::{Value, json};

#[derive(Parser)]
#[command(about = "Writes pictures and data sets of the generated street")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Frames with their truth in COCO's format.
    Dataset(DatasetArgs),
}

#[derive(clap::Args)]
struct DatasetArgs {
    /// Folder to write to: `annotations.json`, and PNG files or `frames.rgb`.
    #[arg(long)]
    out: PathBuf,
    /// Which streets.
    #[arg(long, value_enum)]
    split: SplitArg,
    /// How the camera sees them.
    #[arg(long, value_enum, default_value = "mixed")]
    look: LookArg,
    /// Number of the first street of the split.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Streets.
    #[arg(long)]
    scenes: u64,
    /// Frames of each street.
    #[arg(long, default_value_t = 1)]
    frames: u64,
    /// Sizes of the pictures; streets take turns.
    #[arg(long, value_delimiter = ',', default_value = "1280x720", value_parser = size)]
    size: Vec<Size>,
    /// Scale to this size as the tap does, and write all pictures to one file of raw RGB bytes,
    /// `frames.rgb`, instead of PNG files.
    #[arg(long, value_parser = size)]
    raw: Option<Size>,
}

#[derive(Clone, Copy, ValueEnum)]
enum SplitArg {
    Training,
    HeldOut,
}

#[derive(Clone, Copy, ValueEnum)]
enum LookArg {
    Plain,
    Varied,
    Mixed,
}

/// `1280x720`; even sides.
fn size(text: &str) -> Result<Size, String> {
    let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    match sides {
        Some((w, h)) if w >= 2 && h >= 2 && w <= 8192 && h <= 8192 && w % 2 == 0 && h % 2 == 0 => {
            Ok(Size::new(w, h))
        }
        _ => Err(format!("{text:?} is not a size such as 1280x720, both sides even")),
    }
}

fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Dataset(args) => write_dataset(&args),
    }
}

fn write_dataset(args: &DatasetArgs) -> anyhow::Result<()> {
    ensure!(args.first + args.scenes <= Split::SCENES, "a split has {} streets", Split::SCENES);
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    let split = match args.split {
        SplitArg::Training => Split::Training,
        SplitArg::HeldOut => Split::HeldOut,
    };
    let looks = match args.look {
        LookArg::Plain => Looks::Plain,
        LookArg::Varied => Looks::Varied,
        LookArg::Mixed => Looks::Mixed,
    };
    let mut raw = match args.raw {
        Some(size) => Some((size, create(&args.out.join("frames.rgb"))?)),
        None => None,
    };
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    for (scene, &size) in (args.first..args.first + args.scenes).zip(args.size.iter().cycle()) {
        for sample in dataset::samples(split, scene, looks, args.frames, size) {
            let id = images.len() + 1;
            let name = format!("{}-{}.png", sample.seed, sample.frame);
            let size = match &mut raw {
                Some((to, file)) => {
                    file.write_all(&dataset::scaled(&sample.rgb, size, *to))?;
                    *to
                }
                None => {
                    save(&args.out.join(&name), &sample.rgb, size)?;
                    size
                }
            };
            let (width, height) = (size.width, size.height);
            images.push(json!({ "id": id, "file_name": name, "width": width, "height": height }));
            for truth in &sample.truth {
                annotations.push(annotation(annotations.len() + 1, id, truth, size));
            }
        }
    }
    let categories: Vec<_> =
        CATEGORIES.iter().map(|(id, name)| json!({ "id": id, "name": name })).collect();
    let all = json!({ "images": images, "annotations": annotations, "categories": categories });
    let mut file = create(&args.out.join("annotations.json"))?;
    serde_json::to_writer(&mut file, &all)?;
    file.flush()?;
    if let Some((_, mut file)) = raw {
        file.flush()?;
    }
    Ok(())
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| format!("making {}", path.display()))?;
    Ok(BufWriter::new(file))
}

/// An object in COCO's format, in pixels of a picture of `size`.
fn annotation(id: usize, image: usize, truth: &Truth, size: Size) -> Value {
    let (w, h) = (f64::from(size.width), f64::from(size.height));
    let hundredth = |value: f64| (value * 100.0).round() / 100.0;
    let b = truth.bbox;
    let [x, y, width, height] =
        [f64::from(b.x) * w, f64::from(b.y) * h, f64::from(b.w) * w, f64::from(b.h) * h]
            .map(hundredth);
    let category = CATEGORIES.iter().find(|(_, name)| *name == truth.label).map(|(id, _)| id);
    json!({
        "id": id,
        "image_id": image,
        "category_id": category,
        "bbox": [x, y, width, height],
        "area": hundredth(width * height),
        "iscrowd": u8::from(truth.visible < LEAST_VISIBLE),
    })
}

fn save(path: &Path, rgb: &[u8], size: Size) -> anyhow::Result<()> {
    image::save_buffer(path, rgb, size.width, size.height, image::ColorType::Rgb8)
        .with_context(|| format!("writing {}", path.display()))
}
