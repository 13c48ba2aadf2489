//! Who is who: pairs tracks with detections so that the sum of what the pairs are worth is largest.
//!
//! Solved exactly, as the linear assignment problem, by shortest augmenting paths over reduced
//! costs (Jonker and Volgenant, "A shortest augmenting path algorithm for dense and sparse linear
//! assignment problems", Computing 38, 1987). Greedy pairing by the largest overlap is shorter, but
//! errs just where ids matter: where two objects pass, the best single pair can leave the other
//! track without a partner although both had one.

/// What each pair of a row (track) and a column (detection) is worth. A pair that is worth nothing
/// or less is never made.
#[derive(Clone, Debug)]
pub(crate) struct Worth {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Worth {
    /// The worth of each pair by `of(row, column)`. What is no number is worth nothing.
    pub(crate) fn new(rows: usize, columns: usize, of: impl Fn(usize, usize) -> f32) -> Self {
        let pairs = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        let values = pairs.map(|(row, column)| f64::from(of(row, column)).max(0.0)).collect();
        Self { rows, columns, values }
    }

    /// Worth of a pair; columns beyond the last stand for "no partner", which is worth nothing.
    fn of(&self, row: usize, column: usize) -> f64 {
        if column < self.columns { self.values[row * self.columns + column] } else { 0.0 }
    }

    /// The column for each row, or `None`, so that no column is used twice and the sum of worth is
    /// as large as can be. The same input gives the same answer.
    pub(crate) fn best_pairs(&self) -> Vec<Option<usize>> {
        let width = self.columns.max(self.rows);
        let mut owner: Vec<Option<usize>> = vec![None; width];
        let mut row_price = vec![0.0_f64; self.rows];
        let mut column_price = vec![0.0_f64; width];
        for start in 0..self.rows {
            let Some(path) = self.cheapest_path(start, &owner, &row_price, &column_price) else {
                continue;
            };
            // Prices move so that all reduced costs stay at or above 0, those of pairs made at 0.
            row_price[start] += path.length;
            for column in path.settled.iter().copied().filter(|&c| c != path.end) {
                let slack = path.length - path.distance[column];
                column_price[column] -= slack;
                if let Some(row) = owner[column] {
                    row_price[row] += slack;
                }
            }
            // Along the path each column passes to the row that came before.
            let mut column = path.end;
            while let Some(before) = path.before[column] {
                owner[column] = owner[before];
                column = before;
            }
            owner[column] = Some(start);
        }
        self.pairs(&owner)
    }

    /// The shortest way, in reduced cost, from row `start` to a column without an owner.
    fn cheapest_path(
        &self,
        start: usize,
        owner: &[Option<usize>],
        row_price: &[f64],
        column_price: &[f64],
    ) -> Option<Path> {
        let width = owner.len();
        let mut path = Path {
            end: 0,
            length: 0.0,
            distance: vec![f64::INFINITY; width],
            before: vec![None; width],
            settled: Vec::new(),
        };
        let mut open: Vec<usize> = (0..width).collect();
        let (mut row, mut via) = (start, None);
        loop {
            for &column in &open {
                let reduced = -self.of(row, column) - row_price[row] - column_price[column];
                if path.length + reduced < path.distance[column] {
                    path.distance[column] = path.length + reduced;
                    path.before[column] = via;
                }
            }
            let nearest = (0..open.len())
                .min_by(|&a, &b| path.distance[open[a]].total_cmp(&path.distance[open[b]]))?;
            let column = open.remove(nearest);
            path.settled.push(column);
            path.length = path.distance[column];
            match owner[column] {
                Some(next) => (row, via) = (next, Some(column)),
                None => {
                    path.end = column;
                    return Some(path);
                }
            }
        }
    }

    fn pairs(&self, owner: &[Option<usize>]) -> Vec<Option<usize>> {
        let mut pairs = vec![None; self.rows];
        for (column, row) in owner.iter().enumerate() {
            if let Some(row) = *row
                && self.of(row, column) > 0.0
            {
                pairs[row] = Some(column);
            }
        }
        pairs
    }
}

/// A way through the columns, found from one row.
struct Path {
    end: usize,
    length: f64,
    distance: Vec<f64>,
    before: Vec<Option<usize>>,
    settled: Vec<usize>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn solve(rows: &[&[f32]]) -> Vec<Option<usize>> {
        let columns = rows.first().map_or(0, |row| row.len());
        Worth::new(rows.len(), columns, |r, c| rows[r][c]).best_pairs()
    }

    /// The largest sum, by trying all pairings.
    fn largest(worth: &Worth, row: usize, taken: &mut Vec<bool>) -> f64 {
        if row == worth.rows {
            return 0.0;
        }
        let mut best = largest(worth, row + 1, taken);
        for column in 0..worth.columns {
            if !taken[column] {
                taken[column] = true;
                best = best.max(worth.of(row, column) + largest(worth, row + 1, taken));
                taken[column] = false;
            }
        }
        best
    }

    #[test]
    fn nothing_pairs_with_nothing() {
        assert!(solve(&[]).is_empty());
        assert_eq!(solve(&[&[], &[]]), [None, None]);
    }

    #[test]
    fn gives_up_the_best_single_pair_for_two_good_ones() {
        assert_eq!(solve(&[&[0.5, 0.6], &[0.0, 0.55]]), [Some(0), Some(1)]);
    }

    #[test]
    fn keeps_one_strong_pair_rather_than_two_weak_ones() {
        assert_eq!(solve(&[&[0.7, 0.3], &[0.3, -0.2]]), [Some(0), None]);
    }

    #[test]
    fn never_makes_a_worthless_pair() {
        assert_eq!(solve(&[&[0.0, -1.0], &[f32::NAN, 0.0]]), [None, None]);
    }

    #[test]
    fn serves_the_worthiest_when_there_are_more_rows_than_columns() {
        assert_eq!(solve(&[&[0.2], &[0.9], &[0.4]]), [None, Some(0), None]);
    }

    proptest! {
        #[test]
        fn the_sum_is_the_largest_there_is(
            (rows, columns, values) in (0_usize..6, 0_usize..6).prop_flat_map(|(r, c)| {
                (Just(r), Just(c), prop::collection::vec(-0.5_f32..1.0, r * c))
            })
        ) {
            let worth = Worth::new(rows, columns, |r, c| values[r * columns + c]);
            let pairs = worth.best_pairs();
            let mut taken = vec![false; columns];
            let mut sum = 0.0;
            for (row, column) in pairs.iter().enumerate() {
                if let Some(column) = *column {
                    prop_assert!(!taken[column]);
                    taken[column] = true;
                    sum += worth.of(row, column);
                }
            }
            let best = largest(&worth, 0, &mut vec![false; columns]);
            prop_assert!((sum - best).abs() < 1e-6, "{sum} is not {best}");
        }
    }
}
