//! What of descriptions is shown: `$select`, `$filter`, `$expand`, `$count`, at the root and within an `$expand`.

use custodia_query::odata::Limits;

use super::filter::{Test, unknown_property};
use super::types::{Kind, NAMESPACE, Navigation, kind_named};
use crate::failure::Failure;

/// What is shown of descriptions of one type.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// The properties; all when `None`. The id is always shown.
    pub select: Option<Vec<String>>,
    /// Which descriptions.
    pub filter: Option<Test>,
    /// Descriptions shown within them.
    pub expand: Vec<Expanded>,
    /// How many there are is shown too.
    pub count: bool,
}

/// A navigation shown within a description.
#[derive(Clone, Debug)]
pub(crate) struct Expanded {
    /// The navigation.
    pub navigation: &'static Navigation,
    /// The type that its descriptions are taken for.
    pub kind: &'static Kind,
    /// What of them is shown.
    pub view: View,
}

impl View {
    /// Reads decoded query options for descriptions of a type. Those that begin with no `$` are passed over.
    pub(crate) fn read(kind: &'static Kind, options: &[(String, String)], limits: &Limits) -> Result<Self, Failure> {
        let mut view = Self::default();
        for (name, value) in options {
            view.take(kind, name, value, options, limits)?;
        }
        Ok(view)
    }

    fn take(
        &mut self,
        kind: &'static Kind,
        name: &str,
        value: &str,
        aliases: &[(String, String)],
        limits: &Limits,
    ) -> Result<(), Failure> {
        match name {
            "$select" => self.select = Some(selected(kind, value)?),
            "$filter" => self.filter = Some(Test::read(kind, value, aliases, limits)?),
            "$expand" => self.expand = expanded(kind, value, aliases, limits)?,
            "$count" => {
                self.count = match value {
                    "true" => true,
                    "false" => false,
                    _ => return Err(Failure::invalid(format!("$count is '{value}'; expected true or false"))),
                }
            }
            "$format" => {}
            _ if name.starts_with('$') => {
                let message =
                    format!("The query option {name} is not supported on descriptions of tables and columns.");
                return Err(Failure::invalid(message));
            }
            _ => {}
        }
        Ok(())
    }

    /// What follows the name of the set in a context URL.
    pub(crate) fn context(&self) -> String {
        let selected = self.select.iter().flatten().cloned();
        let within = self.expand.iter().map(|expanded| {
            let inner = expanded.view.context();
            let inner = if inner.is_empty() { "()".to_owned() } else { inner };
            format!("{}{inner}", expanded.navigation.name)
        });
        let all: Vec<String> = selected.chain(within).collect();
        if all.is_empty() { String::new() } else { format!("({})", all.join(",")) }
    }
}

fn selected(kind: &Kind, text: &str) -> Result<Vec<String>, Failure> {
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim) {
        if name == "*" {
            continue;
        }
        if kind.property(name).is_none() && kind.navigation(name).is_none() {
            return Err(unknown_property(name, kind));
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn expanded(
    kind: &'static Kind,
    text: &str,
    aliases: &[(String, String)],
    limits: &Limits,
) -> Result<Vec<Expanded>, Failure> {
    let mut all: Vec<Expanded> = Vec::new();
    for piece in outside_parentheses(text, ',') {
        let piece = piece.trim();
        let (path, options) = match piece.split_once('(') {
            None => (piece, ""),
            Some((path, rest)) => {
                let inner = rest.trim_end().strip_suffix(')');
                (path.trim(), inner.ok_or_else(|| Failure::invalid(format!("$expand: '{piece}' lacks its ')'")))?)
            }
        };
        if path == "*" || path.ends_with("$ref") || path.ends_with("$count") {
            return Err(Failure::unsupported(format!("$expand={path} of descriptions")));
        }
        let (name, cast) = match path.split_once('/') {
            None => (path, None),
            Some((name, cast)) => (name, Some(cast)),
        };
        let Some(navigation) = kind.navigation(name) else { return Err(unknown_property(name, kind)) };
        let target = match cast {
            None => navigation.kind,
            Some(cast) => cast_to(navigation.kind, cast)?,
        };
        let mut view = View::default();
        for option in outside_parentheses(options, ';').filter(|option| !option.trim().is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            view.take(target, name.trim(), value.trim(), aliases, limits)?;
        }
        if all.iter().any(|known| known.navigation.name == name) {
            return Err(Failure::invalid(format!("$expand names '{name}' twice")));
        }
        all.push(Expanded { navigation, kind: target, view });
    }
    Ok(all)
}

/// The type that a cast segment names: one that extends the type of what is cast.
pub(crate) fn cast_to(from: &Kind, segment: &str) -> Result<&'static Kind, Failure> {
    let target = segment.strip_prefix(NAMESPACE).and_then(kind_named).filter(|kind| kind.is(from));
    target.ok_or_else(|| Failure::no_such_resource(segment))
}

/// Cuts a text at a mark, outside parentheses and quotes.
pub(crate) fn outside_parentheses(text: &str, mark: char) -> impl Iterator<Item = &str> {
    let (mut depth, mut quoted) = (0_i32, false);
    text.split(move |c| {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        c == mark && depth == 0 && !quoted
    })
}
