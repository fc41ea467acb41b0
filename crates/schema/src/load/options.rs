//! Lists of options.

use std::collections::HashMap;

use super::raw::{ChoiceOption, OptionSetFile};
use super::{LoadError, Source};
use crate::{Choice, Label};

/// Reads `option-sets.toml`.
pub(super) fn read_option_sets(source: &Source<'_>) -> Result<HashMap<String, Vec<Choice>>, LoadError> {
    let file: OptionSetFile = source.parse()?;
    let mut sets = HashMap::with_capacity(file.option_sets.len());
    for set in &file.option_sets {
        let raw = set.get_ref();
        let options = choices(&raw.options).map_err(|problem| source.fault(&set.span(), problem))?;
        if sets.insert(raw.name.clone(), options).is_some() {
            return Err(source.fault(&set.span(), format!("a second option set `{}`: rename or remove it", raw.name)));
        }
    }
    Ok(sets)
}

/// The options of a list: at least one, each number once.
pub(super) fn choices(options: &[ChoiceOption]) -> Result<Vec<Choice>, String> {
    if options.is_empty() {
        return Err("no options: add at least one".to_owned());
    }
    let mut choices: Vec<Choice> = Vec::with_capacity(options.len());
    for option in options {
        if choices.iter().any(|known| known.value == option.value) {
            return Err(format!("option {} stands twice: renumber or remove one", option.value));
        }
        choices.push(Choice { value: option.value, label: Label(option.label.clone()) });
    }
    Ok(choices)
}
