//! The check: what was answered against what was counted.
//!
//! Guarantees: holds exactly when `A <= C <= A + U`. Refuses to know: how hits are counted.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The two sides, beside each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) answered: u64,
    pub(crate) unknown: u64,
    pub(crate) before: u64,
    pub(crate) after: u64,
}

impl Verdict {
    pub(crate) fn counted(&self) -> u64 {
        self.after.saturating_sub(self.before)
    }

    pub(crate) fn holds(&self) -> bool {
        self.after >= self.before && (self.answered..=self.answered + self.unknown).contains(&self.counted())
    }

    pub(crate) fn line(&self) -> String {
        let Self { answered, unknown, .. } = self;
        let counted = self.counted();
        if self.holds() {
            format!(
                "OK: answered {answered} <= counted {counted} <= answered + unknown {}",
                answered + unknown
            )
        } else if self.after < self.before {
            format!("FAILED: counted fell from {} to {}", self.before, self.after)
        } else if counted < *answered {
            format!("FAILED: counted {counted} is {} fewer than answered {answered}", answered - counted)
        } else {
            let most = answered + unknown;
            format!("FAILED: counted {counted} is {} more than answered + unknown {most}", counted - most)
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "ok": self.holds(),
            "counted": self.counted(),
            "counted_before": self.before,
            "counted_after": self.after,
        })
    }
}

/// What an earlier `run --json` left to be checked: answered, unknown, counted before.
pub(crate) fn recorded(file: &Path) -> Result<(u64, u64, u64)> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let run: Value = serde_json::from_str(&text)?;
    let field = |name: &str| {
        run.get(name).and_then(Value::as_u64).with_context(|| format!("no `{name}` in the result"))
    };
    Ok((field("answered")?, field("unknown")?, field("counted_before")?))
}

#[cfg(test)]
mod tests {
    use super::Verdict;

    #[test]
    fn the_bounds_are_inclusive() {
        for (after, holds) in [(99, false), (100, true), (103, true), (104, false), (0, false)] {
            let verdict = Verdict { answered: 90, unknown: 3, before: 10, after };
            assert_eq!(verdict.holds(), holds, "{}", verdict.line());
        }
    }
}
