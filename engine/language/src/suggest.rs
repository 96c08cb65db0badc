//! The name that was probably meant.

/// What other languages call the types of params.
const OTHER_WORDS: [(&str, &str); 9] = [
    ("bool", "boolean"),
    ("int", "integer"),
    ("float", "number"),
    ("str", "string"),
    ("text", "string"),
    ("array", "list"),
    ("dict", "object"),
    ("map", "object"),
    ("time", "duration"),
];

/// `did you mean …?` with the nearest of the names there are, if one is near enough to be a slip.
pub fn did_you_mean<'a>(name: &str, names: impl IntoIterator<Item = impl AsRef<str> + 'a>) -> Option<String> {
    let lower = name.to_lowercase();
    // Comparing with thousands of long names costs time; a name of another length is no slip.
    let slips = (name.chars().count() / 3).clamp(1, 3);
    let mut near: Vec<(usize, String)> = names
        .into_iter()
        .filter(|one| one.as_ref().len().abs_diff(name.len()) <= slips)
        .map(|one| (strsim::damerau_levenshtein(&lower, &one.as_ref().to_lowercase()), one.as_ref().to_owned()))
        .filter(|(distance, _)| *distance <= slips)
        .collect();
    near.sort();
    near.first().map(|(_, one)| format!("did you mean `{one}`?"))
}

/// The same for one of a few words, which may also be known by another name.
pub(crate) fn did_you_mean_word(word: &str, words: &[&str]) -> Option<String> {
    let known = OTHER_WORDS.iter().find(|(other, ours)| *other == word.to_lowercase() && words.contains(ours));
    known.map(|(_, ours)| format!("did you mean `{ours}`?")).or_else(|| did_you_mean(word, words))
}

/// `a`, `b` or `c`.
pub(crate) fn one_of(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => format!("`{one}`"),
        [rest @ .., last] => {
            let rest: Vec<String> = rest.iter().map(|name| format!("`{name}`")).collect();
            format!("{} or `{last}`", rest.join(", "))
        }
    }
}

/// The names there are, up to a number that helps.
pub(crate) fn some_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN_MAX: usize = 12;
    let names: Vec<&str> = names.into_iter().collect();
    let mut shown: Vec<String> = names.iter().take(SHOWN_MAX).map(|name| format!("`{name}`")).collect();
    if names.len() > SHOWN_MAX {
        shown.push(format!("and {} more", names.len() - SHOWN_MAX));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_different_word_is_not() {
        assert_eq!(did_you_mean("tiemout", ["timeout", "title"]).as_deref(), Some("did you mean `timeout`?"));
        assert_eq!(did_you_mean("Title", ["timeout", "title"]).as_deref(), Some("did you mean `title`?"));
        assert_eq!(did_you_mean("banana", ["timeout", "title"]), None);
        assert_eq!(did_you_mean("x", ["id", "if"]), None);
    }

    #[test]
    fn a_word_of_another_language_is_known() {
        let types = ["string", "boolean", "list"];
        assert_eq!(did_you_mean_word("Bool", &types).as_deref(), Some("did you mean `boolean`?"));
        assert_eq!(did_you_mean_word("strng", &types).as_deref(), Some("did you mean `string`?"));
        assert_eq!(did_you_mean_word("int", &types), None, "only words that are allowed here");
    }

    #[test]
    fn names_are_listed() {
        assert_eq!(one_of(&["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(some_of((0..20).map(|_| "n")).matches("`n`").count(), 12);
    }
}
