//! Which operators, elements and attributes say what a part of a filter says.

use custodia_schema::Value;

use crate::like::pattern_text;
use crate::operator::Operator;
use crate::words::literal;
use crate::{Comparison, Direction, Exists, Filter, LikeToken, Path};

/// An operator and its values.
type Said = (Operator, Vec<String>);

/// The operators that may say what a filter says about one column, and that column.
pub(super) fn operators(filter: &Filter) -> Option<(&Path, Vec<Said>)> {
    Some(match filter {
        Filter::Compare { path, operator, value } => {
            (path, vec![(Operator::Compare(*operator), vec![literal(value)?])])
        }
        Filter::IsNull(path) => (path, vec![(Operator::Null, Vec::new())]),
        Filter::In { path, values } => (path, vec![(Operator::In, list(values)?)]),
        Filter::Like { path, pattern } => {
            let (one_sided, whole) = like(&pattern.tokens());
            (path, one_sided.into_iter().chain([(Operator::Like, vec![whole])]).collect())
        }
        Filter::ContainsAny { path, options } => {
            (path, vec![(Operator::ContainValues, options.iter().map(ToString::to_string).collect())])
        }
        Filter::InPeriod { path, period, .. } => (path, vec![(Operator::InFiscalPeriod, vec![period.to_string()])]),
        Filter::Hierarchy { path, of, direction, inclusive, .. } => {
            let operator = match (direction, inclusive) {
                (Direction::Above, false) => Operator::Above,
                (Direction::Above, true) => Operator::AboveOrEqual,
                (Direction::Under, false) => Operator::Under,
                (Direction::Under, true) => Operator::UnderOrEqual,
            };
            (path, vec![(operator, vec![of.to_string()])])
        }
        Filter::Not(inner) => match &**inner {
            Filter::IsNull(path) => (path, vec![(Operator::NotNull, Vec::new())]),
            Filter::In { path, values } => (path, vec![(Operator::NotIn, list(values)?)]),
            Filter::Like { path, pattern } => {
                let (one_sided, whole) = like(&pattern.tokens());
                let negated = one_sided.into_iter().map(|(operator, values)| match operator {
                    Operator::BeginsWith => (Operator::NotBeginWith, values),
                    _ => (Operator::NotEndWith, values),
                });
                (path, negated.chain([(Operator::NotLike, vec![whole])]).collect())
            }
            Filter::ContainsAny { path, options } => {
                (path, vec![(Operator::NotContainValues, options.iter().map(ToString::to_string).collect())])
            }
            Filter::Hierarchy { path, of, .. } => (path, vec![(Operator::NotUnder, vec![of.to_string()])]),
            Filter::And(parts) => match parts.as_slice() {
                [Filter::Compare { path, value: from, .. }, Filter::Compare { value: to, .. }] => {
                    (path, vec![(Operator::NotBetween, vec![literal(from)?, literal(to)?])])
                }
                _ => return None,
            },
            _ => return None,
        },
        _ => return None,
    })
}

/// Values as texts; where there are none, one that no whole number has.
fn list(values: &[Value]) -> Option<Vec<String>> {
    if values.is_empty() {
        return Some(vec!["0.5".to_owned()]);
    }
    values.iter().map(literal).collect()
}

/// A pattern as one that is open at one end, if it is, and as a whole.
fn like(tokens: &[LikeToken]) -> (Option<Said>, String) {
    let one_sided = match tokens {
        [LikeToken::Many, .., LikeToken::Many] | [LikeToken::Many] => None,
        [inner @ .., LikeToken::Many] => Some((Operator::BeginsWith, vec![pattern_text(inner)])),
        [LikeToken::Many, inner @ ..] => Some((Operator::EndsWith, vec![pattern_text(inner)])),
        _ => None,
    };
    (one_sided, pattern_text(tokens))
}

/// The test that there are linked rows and none passes, which has a name of its own. Gives the test that one passes.
pub(super) fn all_pass(parts: &[Filter]) -> Option<&Exists> {
    let [Filter::Exists(any), Filter::Not(none)] = parts else { return None };
    let Filter::Exists(passing) = &**none else { return None };
    let bare = Exists { links: Vec::new(), filter: Filter::True, ..(**passing).clone() };
    (**any == bare).then_some(&**passing)
}

/// The test that two columns differ and one of them is set, which is what unequal means here.
pub(super) fn both_set(parts: &[Filter]) -> Option<(&Path, &Path)> {
    let [Filter::CompareColumns { left, operator: Comparison::NotEqual, right }, Filter::Not(none)] = parts else {
        return None;
    };
    let Filter::And(nulls) = &**none else { return None };
    let [Filter::IsNull(one), Filter::IsNull(other)] = nulls.as_slice() else { return None };
    (one == left && other == right).then_some((left, right))
}
