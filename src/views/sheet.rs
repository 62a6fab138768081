//! A table of texts whose columns stand under one another, on any terminal.

/// Rows of cells. The first row is the heading.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    rows: Vec<Vec<String>>,
}

impl Sheet {
    pub(super) fn new<const N: usize>(heading: [&str; N]) -> Sheet {
        Sheet { rows: vec![heading.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Adds cells to the end of the heading.
    pub(super) fn more_columns(&mut self, names: impl Iterator<Item = String>) {
        if let Some(heading) = self.rows.first_mut() {
            heading.extend(names);
        }
    }

    /// Whether it has a heading and nothing below.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() <= 1
    }

    /// The table, two blanks between columns, nothing behind the last word of a line.
    pub(super) fn text(&self) -> String {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            for (n, cell) in row.iter().enumerate() {
                match widths.get_mut(n) {
                    Some(widest) => *widest = width(cell).max(*widest),
                    None => widths.push(width(cell)),
                }
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, widest) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.push_str(&" ".repeat(widest.saturating_sub(width(cell)).saturating_add(2)));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Columns of a terminal that a text takes: Chinese characters take two.
fn width(text: &str) -> usize {
    text.chars()
        .map(|c| if matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{ffdc}') { 2 } else { 1 })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_one_another_in_both_languages() {
        let mut sheet = Sheet::new(["a", "long", "c"]);
        sheet.row(vec!["关阀".to_owned(), "x".to_owned(), String::new()]);
        assert_eq!(sheet.text(), "a     long  c\n关阀  x\n");
    }
}
