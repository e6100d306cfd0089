//! Which language the doctor speaks.

use std::ffi::OsString;

use crate::cli::Lang;

/// A language that every message has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    En,
    Es,
}

impl From<Lang> for Language {
    fn from(typed: Lang) -> Self {
        match typed {
            Lang::En => Self::En,
            Lang::Es => Self::Es,
        }
    }
}

impl Language {
    /// As the environment says it (locale(7)): the first variable that is set decides.
    pub(crate) fn of_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &&str| variable(name).is_some_and(|value| !value.is_empty());
        let value = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find(|name| set(name)).and_then(|name| variable(name));
        let is_spanish = value.is_some_and(|value| value.to_string_lossy().starts_with("es"));
        if is_spanish { Self::Es } else { Self::En }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        for (set, language) in [
            (&[("LANG", "es_ES.UTF-8")][..], Language::Es),
            (&[("LANG", "es_ES.UTF-8"), ("LC_ALL", "C")], Language::En),
            (&[("LANG", "es_ES.UTF-8"), ("LC_ALL", "")], Language::Es),
            (&[], Language::En),
        ] {
            let variable =
                |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
            assert_eq!(Language::of_environment(variable), language, "{set:?}");
        }
    }
}
