//! What a filter stands on, found by walking it.

use custodia_query::{Expand, Filter, Path, Step};

/// Calls `visit` with each test of a filter: everything but the constants and what joins tests.
pub(crate) fn each_test<'f, E>(
    filter: &'f Filter,
    visit: &mut dyn FnMut(&'f Filter) -> Result<(), E>,
) -> Result<(), E> {
    match filter {
        Filter::True | Filter::False => Ok(()),
        Filter::And(all) | Filter::Or(all) => all.iter().try_for_each(|filter| each_test(filter, visit)),
        Filter::Not(inner) => each_test(inner, visit),
        test => visit(test),
    }
}

/// The columns that one test looks at, of the rows that it stands on.
pub(crate) fn paths_of(test: &Filter) -> impl Iterator<Item = &Path> {
    let (one, other) = match test {
        Filter::True | Filter::False | Filter::And(_) | Filter::Or(_) | Filter::Not(_) => (None, None),
        Filter::CompareColumns { left, right, .. } => (Some(left), Some(right)),
        Filter::Compare { path, .. }
        | Filter::IsNull(path)
        | Filter::In { path, .. }
        | Filter::Like { path, .. }
        | Filter::ContainsAny { path, .. }
        | Filter::InPeriod { path, .. }
        | Filter::Hierarchy { path, .. } => (Some(path), None),
        Filter::Exists(exists) => (Some(&exists.near), None),
    };
    one.into_iter().chain(other)
}

/// The steps from the queried row to each related row that is shown, in the order of the outputs.
pub(crate) fn expanded(expand: &[Expand]) -> Vec<Vec<Step>> {
    fn gather(expand: &[Expand], above: &[Step], found: &mut Vec<Vec<Step>>) {
        for entry in expand {
            let Expand::One { step, expand, .. } = entry else { continue };
            let steps: Vec<Step> = above.iter().copied().chain([*step]).collect();
            found.push(steps.clone());
            gather(expand, &steps, found);
        }
    }
    let mut found = Vec::new();
    gather(expand, &[], &mut found);
    found
}
