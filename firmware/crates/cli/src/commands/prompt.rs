//! What a person is asked for.

use crate::error::CliError;

/// A line that a person types.
pub(super) fn asked(question: &str) -> Result<String, CliError> {
    use std::io::Write;
    let mut out = std::io::stderr();
    out.write_all(question.as_bytes()).and_then(|()| out.flush())?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// A password: typed unseen on a terminal, else a line of standard input.
pub(super) fn secret(question: &str) -> Result<String, CliError> {
    use std::io::IsTerminal;
    if std::io::stdin().is_terminal() {
        return Ok(rpassword::prompt_password(question)?);
    }
    asked(question)
}
