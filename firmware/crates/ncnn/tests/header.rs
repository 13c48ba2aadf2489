//! The declarations of `src/ffi.rs`, translated to C and compiled against the installed header: a
//! prototype that differs from ncnn's is a "conflicting types" error of the C compiler.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail a test too")]

use std::process::{Command, Stdio};

const DECLARATIONS: &str = include_str!("../src/ffi.rs");

/// Constants that ffi.rs gives as numbers, and the types of ncnn's objects.
const PROLOGUE: &str = r#"
#include <stddef.h>
#include <stdio.h>
#include "c_api.h"
_Static_assert(NCNN_MAT_PIXEL_RGB == PIXEL_RGB, "PIXEL_RGB");
_Static_assert(NCNN_MAT_PIXEL_BGR == PIXEL_BGR, "PIXEL_BGR");
_Static_assert(NCNN_MAT_PIXEL_X2Y(0, 1) == 1 << PIXEL_CONVERT_SHIFT, "PIXEL_CONVERT_SHIFT");
_Static_assert(sizeof(struct __ncnn_allocator_t) == 3 * sizeof(void*), "Allocator");
_Static_assert(offsetof(struct __ncnn_allocator_t, pthis) == 0, "Allocator.pthis");
_Static_assert(offsetof(struct __ncnn_allocator_t, fast_malloc) == sizeof(void*), "Allocator.fast_malloc");
void* lend(ncnn_allocator_t allocator, size_t size);
void take_back(ncnn_allocator_t allocator, void* start);
struct __ncnn_allocator_t allocator = { 0, lend, take_back };
_Static_assert(NCNN_BORDER_CONSTANT == BORDER_CONSTANT, "BORDER_CONSTANT");
"#;

fn c_type(rust: &str) -> &'static str {
    match rust.trim() {
        "c_int" => "int",
        "c_float" => "float",
        "c_long" => "long",
        "usize" => "size_t",
        "*const c_char" => "const char*",
        "*const c_float" => "const float*",
        "*const c_uchar" => "const unsigned char*",
        "*mut c_void" => "void*",
        "*mut Allocator" => "ncnn_allocator_t",
        "*mut DataReader" => "ncnn_datareader_t",
        "*mut Extractor" => "ncnn_extractor_t",
        "*mut File" => "FILE*",
        "*mut Mat" => "ncnn_mat_t",
        "*mut *mut Mat" => "ncnn_mat_t*",
        "*mut Net" => "ncnn_net_t",
        "*mut Option" => "ncnn_option_t",
        other => panic!("ffi.rs uses {other}, which this test cannot translate"),
    }
}

/// `fn name(arg: type, …) -> type;` → `type name(type, …);`
fn prototype(declaration: &str) -> String {
    let (name, rest) = declaration.split_once('(').unwrap();
    let (arguments, result) = rest.split_once(')').unwrap();
    let arguments: Vec<_> = arguments
        .split(',')
        .filter_map(|argument| argument.split_once(':'))
        .map(|(_, kind)| c_type(kind))
        .collect();
    let result = result.trim().strip_prefix("->").map_or("void", c_type);
    let arguments = if arguments.is_empty() { "void".into() } else { arguments.join(", ") };
    format!("{result} {name}({arguments});")
}

fn check(source: &str) -> Result<(), String> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut command = Command::new(&compiler);
    command.args(["-x", "c", "-fsyntax-only", "-Werror", "-D_GNU_SOURCE", "-"]);
    command.args(["-I", env!("EDGECAM_NCNN_INCLUDE")]);
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("running {compiler}: {e}"));
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), source.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn translated() -> String {
    let mut source = String::new();
    for name in ["PIXEL_RGB", "PIXEL_BGR", "PIXEL_CONVERT_SHIFT", "BORDER_CONSTANT"] {
        let line = DECLARATIONS.lines().find(|l| l.contains(&format!("const {name}:"))).unwrap();
        let value = line.split_once('=').unwrap().1.trim().trim_end_matches(';');
        source.push_str(&format!("#define {name} {value}\n"));
    }
    source.push_str(PROLOGUE);
    let declarations: Vec<_> = DECLARATIONS.split("pub(crate) fn ").skip(1).collect();
    assert!(declarations.len() > 40, "only {} declarations found", declarations.len());
    for declaration in declarations {
        source.push_str(&prototype(declaration.split_once(';').unwrap().0));
        source.push('\n');
    }
    source
}

#[test]
fn every_declaration_agrees_with_the_installed_header() {
    check(&translated()).unwrap();
}

#[test]
fn a_declaration_that_does_not_agree_is_noticed() {
    let wrong =
        translated().replace("int ncnn_mat_get_w(ncnn_mat_t)", "long ncnn_mat_get_w(ncnn_mat_t)");
    assert_ne!(wrong, translated());
    let message = check(&wrong).unwrap_err();
    assert!(message.contains("conflicting types"), "{message}");
}
