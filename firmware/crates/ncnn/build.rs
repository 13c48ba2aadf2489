//! Finds the static ncnn library and says how to link it.
//!
//! Looked for, in this order: `EDGECAM_NCNN_DIR_<target with underscores>` (cross builds),
//! `EDGECAM_NCNN_DIR`, `$EDGECAM_CACHE/ncnn/current`, `$HOME/.cache/edgecam/ncnn/current`. The
//! last two hold the host's library and are passed over in a cross build.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `ncnn_version_number()` of the library that the wrapper is written for.
const VERSION: &str = "20260526";

fn main() -> ExitCode {
    match link() {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            println!("cargo:error={sentence}");
            ExitCode::FAILURE
        }
    }
}

fn link() -> Result<(), String> {
    let dir = find()?;
    let header = dir.join("include/ncnn/platform.h");
    let library = dir.join("lib/libncnn.a");
    println!("cargo:rerun-if-changed={}", header.display());
    println!("cargo:rerun-if-changed={}", library.display());
    let text = std::fs::read_to_string(&header).map_err(|_| absent(&header))?;
    if !library.is_file() {
        return Err(absent(&library));
    }
    let version = define(&text, "NCNN_VERSION_NUMBER").unwrap_or("unknown");
    if version != VERSION {
        return Err(format!(
            "ncnn in {} is version {version}, needed is {VERSION}; `make setup` builds it",
            dir.display()
        ));
    }
    for (feature, wanted) in
        [("NCNN_C_API", "1"), ("NCNN_STRING", "1"), ("NCNN_PIXEL", "1"), ("NCNN_VULKAN", "0")]
    {
        // The Rust side declares structs and functions that only exist under these.
        if define(&text, feature) != Some(wanted) {
            return Err(format!(
                "ncnn in {} is not built with {feature}={wanted}; `make setup` builds it so",
                dir.display()
            ));
        }
    }
    println!("cargo:rustc-link-search=native={}", dir.join("lib").display());
    println!("cargo:rustc-link-lib=static=ncnn");
    // gcc's own: the linker driver of the target knows where they are, on the host and crossing.
    println!("cargo:rustc-link-lib=dylib=stdc++");
    println!("cargo:rustc-link-lib=dylib=gomp");
    // For the test that compares our declarations with the header.
    println!("cargo:rustc-env=EDGECAM_NCNN_INCLUDE={}", dir.join("include/ncnn").display());
    println!("cargo:rustc-env=EDGECAM_NCNN_VERSION={VERSION}");
    Ok(())
}

fn find() -> Result<PathBuf, String> {
    let target = env::var("TARGET").unwrap_or_default();
    let crossing = env::var("HOST").is_ok_and(|host| host != target);
    let own = format!("EDGECAM_NCNN_DIR_{}", target.replace('-', "_"));
    for name in [own.as_str(), "EDGECAM_NCNN_DIR", "EDGECAM_CACHE", "HOME"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    for name in [own.as_str(), "EDGECAM_NCNN_DIR"] {
        if let Some(dir) = env::var_os(name).filter(|v| !v.is_empty()) {
            return Ok(PathBuf::from(dir));
        }
    }
    if crossing {
        return Err(format!("ncnn for {target} is not named: set {own} to where it is installed"));
    }
    let cache = match env::var_os("EDGECAM_CACHE").filter(|v| !v.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => Path::new(&env::var_os("HOME").unwrap_or_default()).join(".cache/edgecam"),
    };
    Ok(cache.join("ncnn/current"))
}

fn absent(file: &Path) -> String {
    format!(
        "ncnn is not there: {} is missing; `make setup` builds it, or EDGECAM_NCNN_DIR names where it is",
        file.display()
    )
}

fn define<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("#define") && words.next() == Some(name))
            .then(|| words.next())
            .flatten()
    })
}
