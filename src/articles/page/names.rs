//! Names of authors as pages write them: with "By", several in one text, addresses in between.
//!
//! Guarantees at most [`MAX_AUTHORS`] different names of bounded length, in order. In doubt a text stays one name:
//! "Smith, John" is a person.

use crate::domain::article::{MAX_AUTHORS, MAX_NAME};

use super::text::clean;

/// Words between two names.
const BETWEEN: [&str; 9] = [" and ", " & ", " und ", " et ", " y ", " e ", " og ", " och ", " + "];
/// What a byline begins with. Those that begin a family name too need two names after them.
const BEFORE: [(&str, usize); 8] = [
    ("by ", 1),
    ("by: ", 1),
    ("written by ", 1),
    ("von ", 2),
    ("par ", 2),
    ("por ", 2),
    ("di ", 2),
    ("door ", 2),
];
/// Words that say what somebody is, and are no name.
const ROLES: [&str; 11] = [
    "reporter",
    "correspondent",
    "editor",
    "writer",
    "columnist",
    "journalist",
    "producer",
    "redakteur",
    "redakteurin",
    "korrespondent",
    "korrespondentin",
];

/// Adds the names in a text to those that are there.
pub(super) fn add(text: &str, names: &mut Vec<String>) {
    let Some(text) = clean(text, 2_000) else { return };
    if text.contains("://") || (!text.contains(' ') && text.contains('/') && text.contains('.')) {
        return;
    }
    for part in text.split([';', '|', '/']).flat_map(by_commas).flat_map(by_words) {
        if names.len() >= MAX_AUTHORS {
            return;
        }
        let part = without_by(part.trim());
        let part = part.split(" <").next().unwrap_or(part).trim_matches([' ', ',', '.', ':', '-']);
        let Some(name) = clean(part, MAX_NAME) else { continue };
        let known = names.iter().any(|n| n.to_lowercase() == name.to_lowercase());
        if is_name(&name) && !known {
            names.push(name);
        }
    }
}

/// The same for a text that readers see, which says more than names: what has a number in it, or many words, is none.
pub(super) fn add_seen(text: &str, names: &mut Vec<String>) {
    const WITH: [&str; 5] = [" (with ", " (mit ", " (avec ", " (con ", " (med "];
    let text = WITH.iter().fold(text.to_owned(), |text, with| text.replace(with, ", "));
    let mut found = vec![];
    add(&text, &mut found);
    for name in found {
        let opened = name.contains('(');
        let name = if opened { name } else { name.trim_end_matches(')').to_owned() };
        let plain = !name.contains(|c: char| c.is_numeric()) && words(&name) <= 5;
        if plain && names.len() < MAX_AUTHORS && !names.contains(&name) {
            names.push(name);
        }
    }
}

/// True for a text that begins as a byline does.
pub(super) fn begins_with_by(text: &str) -> bool {
    clean(text, 2_000).is_some_and(|text| without_by(&text) != text)
}

/// True for a label before a name.
pub(super) fn is_by(label: &str) -> bool {
    let label = label.trim().trim_end_matches(':').to_lowercase();
    let known = [
        "by",
        "written by",
        "author",
        "verfasst von",
        "geschrieben von",
        "von",
        "écrit par",
        "par",
        "escrito por",
        "por",
        "scritto da",
        "geschreven door",
        "skriven av",
        "skrevet av",
    ];
    known.contains(&label.as_str())
}

/// No name is what somebody is called on a network.
fn is_name(name: &str) -> bool {
    let handle = name.starts_with('@') || (name.contains('@') && !name.contains(' '));
    let role = name.to_lowercase().split(' ').next_back().is_some_and(|last| ROLES.contains(&last));
    let nothing = matches!(
        name.to_lowercase().as_str(),
        "null"
            | "undefined"
            | "none"
            | "n/a"
            | "unknown"
            | "admin"
            | "jr"
            | "phd"
            | "ma"
            | "md"
            | "mph"
            | "rn"
            | "jd"
            | "msc"
            | "bsc"
            | "esq"
    );
    name.chars().any(char::is_alphabetic) && !handle && !role && !nothing
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Apart at commas if what is before the first one is a whole name.
fn by_commas(text: &str) -> Vec<&str> {
    match text.split_once(',') {
        Some((first, _)) if words(without_by(first.trim())) >= 2 => text.split(',').collect(),
        _ => vec![text],
    }
}

/// Apart at "and" if there are whole names on both sides: "Health and Science" is one.
fn by_words(text: &str) -> Vec<&str> {
    let found = BETWEEN.iter().filter_map(|word| text.find(word).map(|at| (at, word.len()))).min();
    match found {
        // What is left of "A B, C D and E F" between the commas.
        Some((0, length)) => by_words(&text[length..]),
        Some((at, length)) => {
            let (before, after) = (&text[..at], &text[at + length..]);
            let whole = words(without_by(before.trim())) >= 2 && words(after) >= 2;
            if whole { [vec![before], by_words(after)].concat() } else { vec![text] }
        }
        None => vec![text.trim_start().strip_prefix("and ").unwrap_or(text)],
    }
}

fn without_by(text: &str) -> &str {
    for (by, names) in BEFORE {
        if let Some(start) = text.get(..by.len())
            && start.eq_ignore_ascii_case(by)
            && words(&text[by.len()..]) >= names
            && (names == 1 || !start.starts_with(char::is_lowercase))
        {
            return text[by.len()..].trim_start();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bylines() {
        let table: [(&str, &[&str]); 20] = [
            ("Ann Lee", &["Ann Lee"]),
            ("By Ann Lee", &["Ann Lee"]),
            ("BY ANN LEE", &["ANN LEE"]),
            ("Ann Lee and Bob Ray", &["Ann Lee", "Bob Ray"]),
            ("By Ann Lee, Bob Ray and Cy Fox", &["Ann Lee", "Bob Ray", "Cy Fox"]),
            ("Ann Lee, Bob Ray, and Cy Fox", &["Ann Lee", "Bob Ray", "Cy Fox"]),
            ("Ann Lee; Bob Ray", &["Ann Lee", "Bob Ray"]),
            ("Ann Lee & Bob Ray", &["Ann Lee", "Bob Ray"]),
            ("Ann Lee/Bob Ray", &["Ann Lee", "Bob Ray"]),
            ("Von Anna Weiß und Jörg Groß", &["Anna Weiß", "Jörg Groß"]),
            ("Von Trapp", &["Von Trapp"]),
            ("von der Aue", &["von der Aue"]),
            ("Par Émile Roux et Zoé Petit", &["Émile Roux", "Zoé Petit"]),
            ("Smith, John", &["Smith, John"]),
            ("Health and Science", &["Health and Science"]),
            ("Ann Lee, Senior Correspondent", &["Ann Lee"]),
            ("https://social.test/annlee", &[]),
            ("@annlee", &[]),
            ("Ann Lee <ann@a.test>", &["Ann Lee"]),
            ("null", &[]),
        ];
        for (text, expected) in table {
            let mut names = vec![];
            add(text, &mut names);
            assert_eq!(names, expected, "{text}");
        }
    }

    #[test]
    fn each_once_and_not_too_many() {
        let mut names = vec![];
        add("Ann Lee", &mut names);
        add("ANN LEE", &mut names);
        assert_eq!(names, ["Ann Lee"]);
        (0..100).for_each(|n| add(&format!("Name {n}"), &mut names));
        assert_eq!(names.len(), MAX_AUTHORS);
        let mut names = vec![];
        add(&"x".repeat(5_000), &mut names);
        assert_eq!(names[0].chars().count(), MAX_NAME);
    }
}
