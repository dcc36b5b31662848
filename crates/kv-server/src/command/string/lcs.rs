//! LCS: the longest common subsequence of two strings, a machine word of the table at a time.

use std::ops::Range;

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::entry::Entry;

/// The options of LCS.
#[derive(Debug, Default)]
struct Options {
    len: bool,
    idx: bool,
    min_match_len: usize,
    with_match_len: bool,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Result<Self> {
        let mut options = Self::default();
        while args.remaining() > 0 {
            if args.take("IDX") {
                options.idx = true;
            } else if args.take("LEN") {
                options.len = true;
            } else if args.take("WITHMATCHLEN") {
                options.with_match_len = true;
            } else if args.remaining() > 1 && args.take("MINMATCHLEN") {
                options.min_match_len = usize::try_from(args.integer()?).unwrap_or(0);
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        if options.len && options.idx {
            return Err(ReplyError::text(
                "ERR If you want both the length and indexes, please just use IDX.",
            ));
        }
        Ok(options)
    }
}

pub(super) fn lcs(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let first = args.next()?;
    let second = args.next()?;
    // Redis looks at the keys before it looks at the options.
    let a = text(first, cx)?;
    let b = text(second, cx)?;
    let options = Options::parse(&mut args)?;
    // Our table takes a bit where Redis's takes 32; what is refused is the same.
    let cells = (a.len() as u128 + 1) * (b.len() as u128 + 1);
    if cells * 4 > cx.shared.config.max_bulk_bytes as u128 {
        return Err(ReplyError::text(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    let table = Steps::new(&a, &b, !options.len);
    if options.len {
        cx.out.len(table.len);
        return Ok(());
    }
    let runs = table.runs(&a, &b);
    if options.idx {
        reply_with_runs(&runs, table.len, &options, cx);
    } else {
        let common: Vec<u8> = runs
            .iter()
            .rev()
            .flat_map(|run| &a[run.in_a()])
            .copied()
            .collect();
        cx.out.bulk(&common);
    }
    Ok(())
}

fn text(key: &[u8], cx: &mut Context<'_>) -> Result<Vec<u8>> {
    match cx.db.read(key).map(Entry::as_string) {
        None => Ok(Vec::new()),
        Some(Some(text)) => Ok(text.to_vec()),
        Some(None) => Err(ReplyError::text(
            "ERR The specified keys must contain string values",
        )),
    }
}

fn reply_with_runs(runs: &[Run], len: usize, options: &Options, cx: &mut Context<'_>) {
    let wanted = |run: &&Run| run.len >= options.min_match_len;
    cx.out.map(2);
    cx.out.bulk(b"matches");
    cx.out.array(runs.iter().filter(wanted).count());
    for run in runs.iter().filter(wanted) {
        cx.out.array(2 + usize::from(options.with_match_len));
        for start in [run.a, run.b] {
            cx.out.array(2);
            cx.out.len(start);
            cx.out.len(start + run.len - 1);
        }
        if options.with_match_len {
            cx.out.len(run.len);
        }
    }
    cx.out.bulk(b"len");
    cx.out.len(len);
}

/// Bytes that match and follow each other in both strings.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    a: usize,
    b: usize,
    len: usize,
}

impl Run {
    fn in_a(&self) -> Range<usize> {
        self.a..self.a + self.len
    }
}

/// The table L of the textbook, where `L(i, j)` is the length of the LCS of `a[..i]` and `b[..j]`, as what it is made of: the steps
/// `L(i, j) - L(i, j - 1)`, which are 0 or 1. A row of steps follows from the row above by a few operations on whole words
/// (Hyyrö, "Bit-parallel LCS-length computation revisited", 2004).
struct Steps {
    /// Words in a row.
    width: usize,
    /// Row `i` says with a *zero* bit at `j - 1` that `L(i, j)` is one more than `L(i, j - 1)`. Only the last row if the others are not wanted.
    rows: Vec<u64>,
    len: usize,
}

impl Steps {
    fn new(a: &[u8], b: &[u8], keep_rows: bool) -> Self {
        let width = b.len().div_ceil(64);
        let places = Places::new(a, b, width);
        let mut rows = vec![u64::MAX; width * if keep_rows { a.len() + 1 } else { 1 }];
        for (i, byte) in a.iter().enumerate() {
            let places = places.of(*byte);
            if keep_rows {
                let (above, row) = rows[i * width..(i + 2) * width].split_at_mut(width);
                row.copy_from_slice(above);
                advance(row, places);
            } else {
                advance(&mut rows, places);
            }
        }
        let last = &rows[rows.len() - width..];
        let steps: u32 = last.iter().map(|word| word.count_zeros()).sum();
        Self {
            width,
            len: steps as usize,
            rows,
        }
    }

    fn is_step(&self, i: usize, j: usize) -> bool {
        let word = self.rows[i * self.width + (j - 1) / 64];
        word >> ((j - 1) % 64) & 1 == 0
    }

    /// The runs of one LCS, the last one first. Of several it takes the one that Redis takes: it goes back in `b` unless that loses length.
    fn runs(&self, a: &[u8], b: &[u8]) -> Vec<Run> {
        let mut runs = Vec::new();
        let (mut i, mut j) = (a.len(), b.len());
        while i > 0 && j > 0 {
            let end = i;
            while i > 0 && j > 0 && a[i - 1] == b[j - 1] {
                i -= 1;
                j -= 1;
            }
            if i < end {
                runs.push(Run {
                    a: i,
                    b: j,
                    len: end - i,
                });
            } else if self.is_step(i, j) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        runs
    }
}

/// From one row to the next: `row = (row + (row & places)) | (row & !places)`, over all words as one number.
fn advance(row: &mut [u64], places: &[u64]) {
    let mut carry = false;
    for (word, places) in row.iter_mut().zip(places) {
        let (sum, over) = word.overflowing_add(*word & places);
        let (sum, over_again) = sum.overflowing_add(carry.into());
        carry = over || over_again;
        *word = sum | *word & !places;
    }
}

/// Where in `b` each byte of `a` stands: a row of bits for each byte that `a` has, so that it is never larger than the table itself.
struct Places {
    width: usize,
    rows: [usize; 256],
    bits: Vec<u64>,
}

impl Places {
    fn new(a: &[u8], b: &[u8], width: usize) -> Self {
        // Row 0 is for bytes that `a` does not have; nobody asks for it.
        let mut rows = [0; 256];
        let mut count = 1;
        for byte in a {
            let row = &mut rows[usize::from(*byte)];
            if *row == 0 {
                *row = count;
                count += 1;
            }
        }
        let mut bits = vec![0; count * width];
        for (j, byte) in b.iter().enumerate() {
            bits[rows[usize::from(*byte)] * width + j / 64] |= 1 << (j % 64);
        }
        Self { width, rows, bits }
    }

    fn of(&self, byte: u8) -> &[u64] {
        let row = self.rows[usize::from(byte)];
        &self.bits[row * self.width..(row + 1) * self.width]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The textbook's table and Redis's way back through it.
    fn slow_runs(a: &[u8], b: &[u8]) -> (Vec<Run>, usize) {
        let mut table = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                table[i][j] = if a[i - 1] == b[j - 1] {
                    table[i - 1][j - 1] + 1
                } else {
                    table[i - 1][j].max(table[i][j - 1])
                };
            }
        }
        let mut runs: Vec<Run> = Vec::new();
        let (mut i, mut j) = (a.len(), b.len());
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                match runs.last_mut() {
                    Some(run) if run.a == i + 1 && run.b == j + 1 => {
                        *run = Run {
                            a: i,
                            b: j,
                            len: run.len + 1,
                        }
                    }
                    _ => runs.push(Run { a: i, b: j, len: 1 }),
                }
            } else if table[i - 1][j] > table[i][j - 1] {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        (runs, table[a.len()][b.len()])
    }

    proptest! {
        #[test]
        fn words_find_what_the_textbook_finds(
            a in proptest::collection::vec(0_u8..4, 0..200),
            b in proptest::collection::vec(0_u8..4, 0..200),
        ) {
            let (runs, len) = slow_runs(&a, &b);
            let steps = Steps::new(&a, &b, true);
            prop_assert_eq!((steps.runs(&a, &b), steps.len), (runs, len));
            prop_assert_eq!(Steps::new(&a, &b, false).len, len);
        }
    }
}
