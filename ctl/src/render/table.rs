//! Columns as wide as their widest cell.

use super::paint::{Paint, Tone};

/// One cell; padded before it is painted, so that colour does not bend the columns.
pub(crate) struct Cell {
    text: String,
    tone: Tone,
    right: bool,
}

impl Cell {
    pub(crate) fn left(text: impl ToString) -> Self {
        Self { text: text.to_string(), tone: Tone::Plain, right: false }
    }

    pub(crate) fn right(text: impl ToString) -> Self {
        Self { right: true, ..Self::left(text) }
    }

    pub(crate) fn toned(text: impl ToString, tone: Tone) -> Self {
        Self { tone, ..Self::left(text) }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }

    fn padded(&self, width: usize, paint: Paint) -> String {
        let blank = " ".repeat(width.saturating_sub(self.width()));
        let text = paint.tone(self.tone, &self.text);
        if self.right { blank + &text } else { text + &blank }
    }
}

/// The table, a header line first; a header stands as its column's first row does.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: Vec<[Cell; N]>, paint: Paint) -> String {
    let right: [bool; N] = std::array::from_fn(|column| rows.first().is_some_and(|row| row[column].right));
    let header: [Cell; N] = std::array::from_fn(|column| Cell { right: right[column], ..Cell::left(header[column]) });
    let widths: [usize; N] = std::array::from_fn(|column| {
        let widest = rows.iter().map(|row| row[column].width()).max();
        widest.unwrap_or(0).max(header[column].width())
    });
    let lines = std::iter::once(&header).chain(&rows).map(|row| line(row, &widths, paint));
    lines.collect()
}

/// A label and what it stands for, a line each, the labels as wide as the widest.
pub(crate) fn labelled(indent: &str, lines: &[(String, String)]) -> String {
    let width = lines.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    lines.iter().map(|(label, text)| format!("{indent}{label:width$}  {text}\n")).collect()
}

fn line<const N: usize>(row: &[Cell; N], widths: &[usize; N], paint: Paint) -> String {
    let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| cell.padded(*width, paint)).collect();
    cells.join("  ").trim_end().to_owned() + "\n"
}
