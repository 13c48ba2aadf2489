//! What the tests start in the place of `edgecamd`.
fn main() -> std::process::ExitCode {
    edgecam_supervise::launch::intercept().unwrap_or(std::process::ExitCode::FAILURE)
}
