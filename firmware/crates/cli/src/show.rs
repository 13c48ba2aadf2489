//! Answers and refusals as text for people.

use api::event::Event;
use api::problem::Problem;

/// A refusal: what went wrong, and every field that is to blame.
pub(crate) fn problem(problem: &Problem) -> String {
    let mut text = format!("{} ({})", problem.detail, problem.code);
    for field in &problem.errors {
        let pointer = if field.pointer.is_empty() { "the whole" } else { &field.pointer };
        text.push_str(&format!("\n  {pointer}: {}", field.detail));
    }
    text
}

/// An announcement on one line.
pub(crate) fn event(event: &Event) -> String {
    let what = serde_json::to_value(event.event_type).unwrap_or_default();
    let mut parts = vec![
        event.ts.to_string(),
        format!("#{}", event.seq),
        event.camera.clone().unwrap_or_else(|| "device".to_owned()),
        what.as_str().unwrap_or_default().to_owned(),
    ];
    if let Some(object) = &event.object {
        parts.push(format!("{} {:.0} %", object.label, object.score * 100.0));
    }
    if let Some(input) = &event.input {
        parts.push(input.label.clone());
    }
    if !event.zones.current.is_empty() {
        parts.push(format!("in {}", event.zones.current.join(", ")));
    }
    parts.join("  ")
}

/// Rows under headings, each column as wide as it needs.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rows = rows.iter().map(|row| line(row.each_ref().map(String::as_str)));
    std::iter::once(line(headings)).chain(rows).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use api::problem::FieldProblem;

    use super::*;

    #[test]
    fn a_refusal_names_every_field() {
        let field = |pointer: &str, detail: &str| FieldProblem {
            pointer: pointer.to_owned(),
            detail: detail.to_owned(),
        };
        let refusal = Problem {
            type_: String::new(),
            title: String::new(),
            status: 422,
            detail: "a field is wrong".to_owned(),
            code: "invalid_argument".to_owned(),
            errors: vec![field("/mqtt/port", "must be within 1..=65535"), field("", "is empty")],
        };
        assert_eq!(
            problem(&refusal),
            "a field is wrong (invalid_argument)\n  /mqtt/port: must be within 1..=65535\n  the whole: is empty"
        );
    }

    #[test]
    fn columns_stand_under_their_headings() {
        let rows = [["Gate".to_owned(), "a".to_owned()], ["Yard 2".to_owned(), String::new()]];
        assert_eq!(table(["NAME", "ID"], &rows), "NAME    ID\nGate    a\nYard 2");
    }
}
