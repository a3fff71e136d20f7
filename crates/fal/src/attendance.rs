//! Who took part in the rounds of a training, and what did not go as it was to go.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use experiment::metrics::Row;
use serde::Serialize;

/// In the metrics: clients whose update was finite.
pub const PARTICIPANTS: &str = "participants";
/// In the metrics: 1 for a round that passed without a step.
pub const PASSED_OVER: &str = "passed over";
/// In the metrics: clients that were asked, but lost.
pub const DROPPED: &str = "dropped";
/// In the metrics: clients whose loss or update was not finite.
pub const SET_ASIDE: &str = "set aside";
/// In the metrics, before the number of a client: 1 where its loss or update was not finite.
pub const SET_ASIDE_CLIENT: &str = "set aside client ";
/// In the metrics: 1 for a round in which an iteration at the server had not come to rest.
pub const UNCONVERGED: &str = "unconverged";

/// What did not go as it was to go in the rounds of a training.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Attendance {
    /// Rounds that passed without a step, because too few updates came for the server's rule.
    pub passed_over: u64,
    /// Those of them in which updates came, and none was finite.
    pub nothing_finite: u64,
    /// How often a client was asked, but lost; none where the metrics do not tell.
    pub dropped: Option<u64>,
    /// How often the loss or the update of a client was not finite.
    pub set_aside: u64,
    /// The same by client, of whom there was any; empty where the metrics do not tell whose.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub set_aside_clients: BTreeMap<usize, u64>,
    /// Rounds in which an iteration at the server had not come to rest.
    pub unconverged: u64,
    /// Finite updates of all rounds together.
    #[serde(skip)]
    pub received: u64,
    /// All rounds.
    #[serde(skip)]
    pub rounds: u64,
}

/// A client that is set aside in this share of all rounds, or this share of all updates, is worth a word.
const OFTEN: f64 = 0.1;
/// So many clients are named.
const NAMED: usize = 5;

impl Attendance {
    /// Adds up the rounds of a training.
    pub fn of(rows: &[Row]) -> Self {
        let value = |row: &Row, name: &str| row.values.get(name).map(|value| *value as u64);
        let sum = |name| rows.iter().filter_map(|row| value(row, name)).sum();
        Self {
            passed_over: sum(PASSED_OVER),
            nothing_finite: rows.iter().filter(|row| is_nothing_finite(row)).count() as u64,
            dropped: rows.iter().map(|row| value(row, DROPPED)).sum(),
            set_aside: sum(SET_ASIDE),
            set_aside_clients: set_aside_clients(rows),
            received: sum(PARTICIPANTS),
            unconverged: sum(UNCONVERGED),
            rounds: rows.len() as u64,
        }
    }

    /// What makes the network another one than so many rounds would have made.
    pub fn warnings(&self) -> Vec<String> {
        let Self { passed_over, nothing_finite, set_aside, unconverged, rounds, .. } = *self;
        let too_few = passed_over.saturating_sub(nothing_finite);
        let mut warnings = Vec::new();
        if nothing_finite > 0 {
            warnings.push(format!(
                "in {nothing_finite} of {rounds} rounds no update that came was finite: the network learned in the others alone, and has likely diverged if these are the last; lower `client.rate`, or look at who sends such updates"
            ));
        }
        if too_few > 0 {
            warnings.push(format!(
                "{too_few} of {rounds} rounds were passed over, because too few updates came for `server.aggregator`: the network learned in the others alone; let more clients take part, lower `clients.participation.dropout`, or withstand fewer bad clients"
            ));
        }
        if self.is_often_set_aside() {
            let updates = set_aside + self.received;
            warnings.push(format!(
                "{set_aside} of {updates} updates were not finite and are left out{}: the network learned little of what these clients have; lower `client.rate`, or look at their images",
                self.most_set_aside()
            ));
        }
        if unconverged > 0 {
            warnings.push(format!(
                "in {unconverged} of {rounds} rounds the geometric median still moved at its last step; raise `server.aggregator.iterations` or `server.aggregator.tolerance`"
            ));
        }
        warnings
    }

    /// Whether so many updates were not finite, or those of one client so often, that it matters to what was learned.
    fn is_often_set_aside(&self) -> bool {
        let is_often = |times: u64, of: u64| times > 0 && times as f64 >= OFTEN * of as f64;
        let of_a_client = self.set_aside_clients.values().max().copied().unwrap_or(0);
        is_often(self.set_aside, self.set_aside + self.received)
            || is_often(of_a_client, self.rounds)
    }

    /// Whose updates they were, those first of whom there are most.
    fn most_set_aside(&self) -> String {
        let mut by_times: Vec<(usize, u64)> =
            self.set_aside_clients.iter().map(|(client, times)| (*client, *times)).collect();
        by_times.sort_by_key(|(client, times)| (Reverse(*times), *client));
        let named = by_times.iter().take(NAMED);
        let named: Vec<String> =
            named.map(|(client, times)| format!("{times} of client {client}")).collect();
        let others = by_times.len().saturating_sub(NAMED);
        match (named.is_empty(), others) {
            (true, _) => String::new(),
            (_, 0) => format!(", {}", named.join(", ")),
            _ => format!(", {} and those of {others} more", named.join(", ")),
        }
    }
}

/// How often the metrics name each client.
fn set_aside_clients(rows: &[Row]) -> BTreeMap<usize, u64> {
    let names = rows.iter().flat_map(|row| row.values.keys());
    let clients = names.filter_map(|name| name.strip_prefix(SET_ASIDE_CLIENT)?.parse().ok());
    let mut times = BTreeMap::new();
    clients.for_each(|client: usize| *times.entry(client).or_default() += 1);
    times
}

/// "client 3" or "clients 3 and 5", by their numbers.
pub fn clients(numbers: &[usize]) -> String {
    let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
    match numbers.split_last() {
        Some((only, [])) => format!("client {only}"),
        Some((last, others)) => format!("clients {} and {last}", others.join(", ")),
        None => "no client".to_owned(),
    }
}

fn is_nothing_finite(row: &Row) -> bool {
    let value = |name| row.values.get(name).copied();
    value(PARTICIPANTS) == Some(0.0) && value(SET_ASIDE).is_some_and(|clients| clients > 0.0)
}

impl fmt::Display for Attendance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed_over, dropped, set_aside, rounds, .. } = *self;
        let dropped = dropped.map_or_else(|| "unknown".to_owned(), |dropped| dropped.to_string());
        write!(
            formatter,
            "{passed_over} of {rounds} rounds passed over, {dropped} answers lost, {set_aside} not finite"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of twenty rounds with twenty clients each.
    #[test]
    fn who_is_often_set_aside_is_named() {
        let warnings = |set_aside: &[(usize, u64)]| {
            let mut rows = vec![Row { step: 1, seconds: 1.0, values: BTreeMap::new() }; 20];
            rows.iter_mut().for_each(|row| row.values.extend([(PARTICIPANTS.to_owned(), 20.0)]));
            for (client, times) in set_aside {
                for row in rows.iter_mut().take(*times as usize) {
                    row.values.insert(format!("{SET_ASIDE_CLIENT}{client}"), 1.0);
                    *row.values.entry(PARTICIPANTS.into()).or_default() -= 1.0;
                    *row.values.entry(SET_ASIDE.into()).or_default() += 1.0;
                }
            }
            Attendance::of(&rows).warnings()
        };
        assert_eq!(warnings(&[]), Vec::<String>::new());
        assert_eq!(warnings(&[(3, 1)]), Vec::<String>::new(), "once in twenty rounds");
        assert!(warnings(&[(3, 2)])[0].contains("2 of 400 updates"), "a tenth of the rounds");
        let told = warnings(&[(7, 1), (3, 2)]).remove(0);
        assert!(told.contains("left out, 2 of client 3, 1 of client 7: "), "{told}");
        let all: Vec<(usize, u64)> = (0..8).map(|client| (client, 9)).collect();
        let told = warnings(&all).remove(0);
        assert!(told.contains("9 of client 4 and those of 3 more"), "{told}");
    }

    #[test]
    fn clients_are_named_by_number() {
        assert_eq!(clients(&[3]), "client 3");
        assert_eq!(clients(&[3, 5, 8]), "clients 3, 5 and 8");
    }
}
