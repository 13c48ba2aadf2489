//! Clips cut from the real ones.

use std::path::{Path, PathBuf};

use super::{site, viewer};

/// Width and height of the shared clips.
pub(crate) const SIZE: (usize, usize) = (768, 432);

const PERSON: &str = "one-by-one-person-detection.mp4";

/// A car that passes, and again, and again: something new every 3.5 s.
pub(crate) fn car_passes(folder: &Path) -> PathBuf {
    cut("car-detection.mp4", &["-ss", "5", "-t", "3.5"], &[], &folder.join("car.mp4"))
}

/// A person who is there from the first frame on and hardly moves, for four seconds.
pub(crate) fn person_stands(folder: &Path) -> PathBuf {
    cut(PERSON, &["-ss", "10", "-t", "4"], &[], &folder.join("person.mp4"))
}

/// One picture with a person, shown for four seconds.
pub(crate) fn person_is_frozen(folder: &Path) -> PathBuf {
    let freeze = ["-vf", "select=eq(n\\,0),loop=39:1:0,setpts=N/10/TB", "-r", "10"];
    cut(PERSON, &["-ss", "12", "-t", "0.5"], &freeze, &folder.join("frozen.mp4"))
}

fn cut(clip: &str, from: &[&str], filter: &[&str], output: &Path) -> PathBuf {
    let source = site::clip(clip);
    let mut arguments = from.to_vec();
    arguments.extend(["-i", source.to_str().expect("shared data has plain names"), "-an"]);
    arguments.extend(filter);
    arguments.extend([
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-crf",
        "12",
        "-pix_fmt",
        "yuv420p",
    ]);
    viewer::ffmpeg(&arguments, output);
    output.to_owned()
}
