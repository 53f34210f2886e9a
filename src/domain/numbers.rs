//! Numbers as people read them, on pages and in digests. Pure.

/// 1204 is 1,204.
#[must_use]
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for group in digits.as_bytes()[first..].chunks(3) {
        if !text.is_empty() {
            text.push(',');
        }
        text.extend(group.iter().map(|digit| char::from(*digit)));
    }
    text
}

/// How a number changed: "+12 %", "3.1 x", "new"; empty for none to compare with. True if it went up.
#[must_use]
pub fn change(now: u64, before: u64) -> (String, bool) {
    let (now, before) = (u128::from(now), u128::from(before));
    match (now, before) {
        (0, 0) => (String::new(), false),
        (_, 0) => ("new".into(), true),
        _ if now >= before * 3 => (format!("{}.{} ×", now / before, now % before * 10 / before), true),
        _ if now >= before => (format!("+{} %", (now - before) * 100 / before), true),
        _ => (format!("−{} %", (before - now) * 100 / before), false),
    }
}
