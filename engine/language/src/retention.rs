//! How long runs are kept: `[retention]` of `runbook.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::code::Code;
use crate::diagnostic::Collector;
use crate::period::Period;
use crate::project::of;

/// How long runs are kept, from their end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Those whose tags say nothing; for ever where nothing is written.
    pub default: Option<Period>,
    /// Those of runbooks with a tag.
    pub tags: BTreeMap<String, Period>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenRetention {
    default: Option<Spanned<String>>,
    #[serde(default)]
    tags: BTreeMap<String, Spanned<String>>,
}

impl Retention {
    /// How long a run of a runbook with these tags is kept: the longest of what its tags say before a moment, or else the
    /// default. None means for ever.
    pub fn of(&self, tags: &[String], now_ms: u64) -> Option<&Period> {
        let said = tags.iter().filter_map(|tag| self.tags.get(tag));
        said.min_by_key(|period| period.before(now_ms)).or(self.default.as_ref())
    }
}

impl WrittenRetention {
    /// Reads all periods, and reports those that are none.
    pub(crate) fn read(&self, found: &mut Collector) -> Retention {
        let mut read = |written: &Spanned<String>| match Period::parse(written.get_ref()) {
            Ok(period) => Some(period),
            Err(why) => {
                found.error(Code::Project, of(written), why).help("write `90d`, `2w`, `6mo` or `7y`");
                None
            }
        };
        let default = self.default.as_ref().and_then(&mut read);
        let tags = self.tags.iter().filter_map(|(tag, written)| Some((tag.clone(), read(written)?))).collect();
        Retention { default, tags }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Project, SourceFile, parse_project};

    const NOW: u64 = 1_772_323_200_000;

    fn project(text: &str) -> Result<Project, String> {
        parse_project(&SourceFile::new("runbook.toml", text)).map_err(|found| format!("{found:?}"))
    }

    #[test]
    fn the_longest_tag_counts_before_the_default() {
        let text = "[retention]\ndefault = \"90d\"\ntags = {audit = \"7y\", drill = \"2w\"}\n";
        let kept = project(text).unwrap().retention;
        let of = |tags: &[&str]| {
            let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
            kept.of(&tags, NOW).map(|period| period.as_str().to_owned()).unwrap()
        };
        assert_eq!([of(&[]), of(&["other"]), of(&["drill"]), of(&["drill", "audit"])], ["90d", "90d", "2w", "7y"]);
        assert_eq!(project("").unwrap().retention.of(&["audit".to_owned()], NOW), None, "for ever");
    }

    #[test]
    fn what_is_no_period_is_reported_with_its_place() {
        for wrong in ["default = \"90\"", "tags = {audit = \"long\"}", "default = 90", "days = 3"] {
            assert!(project(&format!("[retention]\n{wrong}\n")).is_err(), "{wrong}");
        }
    }
}
