//! Nets made in memory, run through the whole safe interface; and all of that again under
//! valgrind, which must see no bad access and no leak.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail a test too")]

use std::io::Write as _;
use std::process::Command;

use edgecam_ncnn::{Error, Mat, Net, Opt, PixelOrder};

/// A 1×1 convolution from 3 channels to 2, then a doubling: out = 2 * (W·x + b).
const PARAM: &str = "7767517
3 3
Input       data  0 1 data
Convolution mix   1 1 data mixed 0=2 1=1 5=1 6=6
BinaryOp    twice 1 1 mixed out 0=2 1=1 2=2.0
";
const WEIGHTS: [f32; 6] = [1.0, 10.0, 100.0, 0.5, 0.25, 0.0];
const BIASES: [f32; 2] = [7.0, -1.0];

fn weights() -> Vec<u8> {
    // A zero word says "raw 32-bit floats"; the biases have no such word.
    let words = std::iter::once(0.0).chain(WEIGHTS).chain(BIASES);
    words.flat_map(|value: f32| value.to_le_bytes()).collect()
}

/// 32-bit floats all the way, so that results are exact on every CPU.
fn exact() -> Opt {
    let half = Opt::default();
    Opt { fp16_packed: false, fp16_storage: false, fp16_arithmetic: false, ..half }
}

fn net() -> Net {
    Net::from_memory(PARAM, &weights(), &exact()).unwrap()
}

/// 4×3 pixels, red 1, green 2, blue 3.
fn pixels() -> Vec<u8> {
    [1, 2, 3].repeat(12)
}

fn mat(to: PixelOrder) -> Mat {
    Mat::from_pixels(&pixels(), (4, 3), PixelOrder::Rgb, (4, 3), to).unwrap()
}

#[test]
fn a_net_computes_what_its_weights_say() {
    let net = net();
    let input = mat(PixelOrder::Rgb);
    let mut run = net.extractor().unwrap();
    run.input("data", &input).unwrap();
    let out = run.extract("out").unwrap();
    assert_eq!(
        (out.dims(), out.width(), out.height(), out.depth(), out.channels()),
        (3, 4, 3, 1, 2)
    );
    assert_eq!(out.channel(0), [2.0 * (1.0 + 20.0 + 300.0 + 7.0); 12]);
    assert_eq!(out.channel(1), [2.0 * (0.5 + 0.5 - 1.0); 12]);
}

#[test]
fn an_inner_blob_can_be_extracted_too_and_an_earlier_output_stays_as_it_was() {
    let net = net();
    let input = mat(PixelOrder::Rgb);
    let mut run = net.extractor().unwrap();
    run.input("data", &input).unwrap();
    let mixed = run.extract("mixed").unwrap();
    let before = mixed.channel(0).to_vec();
    // The doubling works in place where it may; here it may not.
    let out = run.extract("out").unwrap();
    assert_eq!(mixed.channel(0), before);
    assert_eq!(before[0] * 2.0, out.channel(0)[0]);
    assert_eq!(input.channel(0), [1.0; 12]);
}

#[test]
fn an_output_outlives_its_run_and_a_net_runs_again_and_again() {
    let net = net();
    let input = mat(PixelOrder::Bgr);
    let one = || {
        let mut run = net.extractor().unwrap();
        run.input("data", &input).unwrap();
        run.extract("out").unwrap()
    };
    let first = one();
    for _ in 0..20 {
        assert_eq!(one().channel(0), first.channel(0));
    }
}

#[test]
fn one_net_serves_several_threads_at_once() {
    let net = Net::from_memory(PARAM, &weights(), &Opt { threads: 2, ..exact() }).unwrap();
    let input = mat(PixelOrder::Rgb);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let mut run = net.extractor().unwrap();
                    run.input("data", &input).unwrap();
                    assert_eq!(run.extract("out").unwrap().channel(0)[11], 656.0);
                }
            });
        }
    });
}

#[test]
fn a_net_with_pools_of_its_own_gives_the_same_also_to_several_threads() {
    let opt = Opt { threads: 2, pools: true, ..exact() };
    let net = Net::from_memory(PARAM, &weights(), &opt).unwrap();
    let input = mat(PixelOrder::Rgb);
    let one = || {
        let mut run = net.extractor().unwrap();
        run.input("data", &input).unwrap();
        (run.extract("mixed").unwrap(), run.extract("out").unwrap())
    };
    let (mixed, kept) = one();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..10).for_each(|_| assert_eq!(one().1.channel(0)[11], 656.0)));
        }
    });
    // What is still held was not handed out again.
    assert_eq!((mixed.channel(0), kept.channel(0)), (&[328.0; 12][..], &[656.0; 12][..]));
}

#[test]
fn inputs_and_outputs_are_known_by_name() {
    let net = net();
    assert_eq!(net.input_names(), ["data"]);
    assert_eq!(net.output_names(), ["out"]);
    assert_eq!(net.param().inputs()[0].channels, Some(3));
}

#[test]
fn an_unknown_blob_is_an_error_that_names_it() {
    let net = net();
    let input = mat(PixelOrder::Rgb);
    let mut run = net.extractor().unwrap();
    let error = run.input("picture", &input).unwrap_err().to_string();
    let expected = r#"the net has no blob "picture"; its inputs are ["data"], its outputs ["out"]"#;
    assert_eq!(error, expected);
    run.input("data", &input).unwrap();
    let error = run.extract("boxes").unwrap_err();
    assert!(matches!(&error, Error::UnknownBlob { name, .. } if name == "boxes"), "{error}");
    assert!(matches!(run.input("mixed", &input), Err(Error::NotAnInput { .. })));
    assert!(matches!(run.extract("a\0b"), Err(Error::UnknownBlob { .. })));
}

#[test]
fn nothing_is_computed_from_inputs_that_are_missing_or_do_not_fit() {
    let net = net();
    let grey = Mat::filled(4, 3, 1, 0.0).unwrap();
    let mut run = net.extractor().unwrap();
    assert!(matches!(run.extract("out"), Err(Error::MissingInput { name }) if name == "data"));
    let error = run.input("data", &grey).unwrap_err().to_string();
    assert_eq!(error, r#"input "data" takes 3 channels, not 1"#);
    assert!(matches!(run.extract("out"), Err(Error::MissingInput { .. })));
}

#[test]
fn a_damaged_structure_never_becomes_a_net() {
    for (from, to) in [
        ("7767517", "7767516"),
        ("3 3", "3 2"),
        ("3 3", "4 3"),
        ("mixed out", "nowhere out"),
        ("Convolution ", "Convulsion "),
        ("0=2 1=1 5", "0=two 1=1 5"),
        ("0=2 1=1 5", "99=2 1=1 5"),
    ] {
        let text = PARAM.replacen(from, to, 1);
        assert_ne!(text, PARAM);
        assert!(Net::from_memory(&text, &weights(), &exact()).is_err(), "{text}");
    }
    for end in 0..PARAM.len() - 2 {
        // A cut inside the last number leaves a number: all cuts before it must be refused.
        if end < PARAM.rfind("0=2").unwrap() {
            assert!(Net::from_memory(&PARAM[..end], &weights(), &exact()).is_err(), "{end}");
        }
    }
    assert!(Net::from_memory(&PARAM.replace("mix ", "m\0x "), &weights(), &exact()).is_err());
}

#[test]
fn weights_that_are_cut_off_or_too_long_never_become_a_net() {
    let whole = weights();
    for end in 0..whole.len() {
        let error = Net::from_memory(PARAM, &whole[..end], &exact()).unwrap_err();
        assert!(matches!(error, Error::WeightsTooShort { len } if len == end), "{end}: {error}");
    }
    let long = [whole.as_slice(), &[0]].concat();
    let error = Net::from_memory(PARAM, &long, &exact()).unwrap_err().to_string();
    assert_eq!(error, "the weights are too long for the structure: it takes 36 of 37 bytes");
}

#[test]
fn files_load_like_memory_and_a_missing_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (param, bin) = (dir.path().join("net.param"), dir.path().join("net.bin"));
    let error = Net::load(&param, &bin, &exact()).unwrap_err();
    assert!(matches!(&error, Error::ReadFile { path, .. } if *path == param), "{error}");
    std::fs::write(&param, PARAM).unwrap();
    let error = Net::load(&param, &bin, &exact()).unwrap_err();
    assert!(matches!(&error, Error::ReadFile { path, .. } if *path == bin), "{error}");
    std::fs::write(&bin, weights()).unwrap();
    assert_eq!(Net::load(&param, &bin, &exact()).unwrap().output_names(), ["out"]);
    std::fs::write(&param, [0xff, 0xfe, 0]).unwrap();
    assert!(matches!(Net::load(&param, &bin, &exact()), Err(Error::Param(_))));
}

#[test]
fn red_and_blue_change_places_only_when_asked() {
    let same = mat(PixelOrder::Rgb);
    assert_eq!([0, 1, 2].map(|c| same.channel(c)[0]), [1.0, 2.0, 3.0]);
    let swapped = mat(PixelOrder::Bgr);
    assert_eq!([0, 1, 2].map(|c| swapped.channel(c)[0]), [3.0, 2.0, 1.0]);
    let bgr =
        Mat::from_pixels(&pixels(), (4, 3), PixelOrder::Bgr, (4, 3), PixelOrder::Rgb).unwrap();
    assert_eq!([0, 1, 2].map(|c| bgr.channel(c)[0]), [3.0, 2.0, 1.0]);
}

#[test]
fn scaling_keeps_a_plain_picture_plain_and_a_gradient_rising() {
    let sizes = [(2, 2), (3, 5), (8, 6), (64, 48), (5, 2)];
    for to in sizes {
        let mat =
            Mat::from_pixels(&pixels(), (4, 3), PixelOrder::Rgb, to, PixelOrder::Rgb).unwrap();
        assert_eq!((mat.width(), mat.height(), mat.channels()), (to.0, to.1, 3));
        assert!(mat.channel(1).iter().all(|&v| v == 2.0), "{to:?}");
    }
    let rising: Vec<u8> = (0..16u8).flat_map(|x| [x * 16; 3]).collect::<Vec<_>>().repeat(2);
    let mat = Mat::from_pixels(&rising, (16, 2), PixelOrder::Rgb, (7, 2), PixelOrder::Rgb).unwrap();
    assert!(mat.channel(0)[..7].is_sorted());
}

#[test]
fn pixels_that_are_not_exactly_the_picture_are_refused() {
    let rgb = PixelOrder::Rgb;
    for len in [0, 35, 37, 12] {
        let error = Mat::from_pixels(&vec![0; len], (4, 3), rgb, (4, 3), rgb).unwrap_err();
        assert!(matches!(error, Error::PixelBytes { expected: 36, found, .. } if found == len));
    }
    for from in [(0, 3), (1, 3), (4, 1), (usize::MAX, 3), (8193, 3)] {
        assert!(matches!(Mat::from_pixels(&[], from, rgb, (4, 3), rgb), Err(Error::Size { .. })));
    }
    for to in [(0, 0), (1, 2), (8193, 2), (2, usize::MAX)] {
        assert!(matches!(
            Mat::from_pixels(&pixels(), (4, 3), rgb, to, rgb),
            Err(Error::Size { .. })
        ));
    }
}

#[test]
fn a_border_surrounds_the_picture_and_no_border_makes_a_copy() {
    let inner = mat(PixelOrder::Rgb);
    let padded = inner.with_border((1, 2, 3, 4), 9.0).unwrap();
    assert_eq!((padded.width(), padded.height(), padded.channels()), (11, 6, 3));
    let row = |y: usize| padded.channel(1)[y * 11..][..11].to_vec();
    assert_eq!(row(0), [9.0; 11]);
    assert_eq!(row(1), [9.0, 9.0, 9.0, 2.0, 2.0, 2.0, 2.0, 9.0, 9.0, 9.0, 9.0]);
    assert_eq!(row(4), [9.0; 11]);
    let mut copy = inner.with_border((0, 0, 0, 0), 9.0).unwrap();
    copy.substract_mean_normalize(&[1.0; 3], &[5.0; 3]).unwrap();
    assert_eq!((inner.channel(2)[0], copy.channel(2)[0]), (3.0, 10.0));
    assert!(matches!(inner.with_border((0, 0, usize::MAX, 0), 0.0), Err(Error::Size { .. })));
}

#[test]
fn normalising_takes_one_mean_and_one_norm_a_channel() {
    let mut mat = mat(PixelOrder::Rgb);
    mat.substract_mean_normalize(&[1.0, 1.0, 1.0], &[1.0, 2.0, 0.5]).unwrap();
    assert_eq!([0, 1, 2].map(|c| mat.channel(c)[5]), [0.0, 2.0, 1.0]);
    for (mean, norm) in [(&[0.0][..], &[1.0; 3][..]), (&[0.0; 3], &[1.0; 4])] {
        let error = mat.substract_mean_normalize(mean, norm).unwrap_err();
        assert!(matches!(error, Error::ChannelValues { channels: 3, .. }), "{error}");
    }
}

#[test]
#[should_panic(expected = "channel 3 of 3")]
fn a_channel_that_is_not_there_is_a_panic_not_a_read() {
    let _ = mat(PixelOrder::Rgb).channel(3);
}

/// What valgrind says of all other tests of this file. Only errors and definite leaks count:
/// libgomp keeps its threads, and the C++ and Rust runtimes their tables, until the process ends.
#[test]
fn all_of_this_is_clean_under_valgrind() {
    let name = "all_of_this_is_clean_under_valgrind";
    if Command::new("valgrind").arg("--version").output().is_err() {
        // Past the harness's capture: a test that did not happen should not look like one that did.
        writeln!(std::io::stderr(), "skipped: {name}: valgrind is absent").unwrap();
        return;
    }
    let output = Command::new("valgrind")
        .args(["--quiet", "--leak-check=full", "--show-leak-kinds=definite"])
        .args(["--errors-for-leak-kinds=definite", "--error-exitcode=99", "--num-callers=30"])
        .arg(std::env::current_exe().unwrap())
        .args(["--test-threads=1", "--skip", name])
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{}\n{}", text[0], text[1]);
    assert!(text[0].contains(" passed; 0 failed"), "{}", text[0]);
}
