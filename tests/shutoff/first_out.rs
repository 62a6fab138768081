//! What is told of a trip: every cause that counted, and which of them came first.

use crate::bench::Bench;
use davy::model::point::Fault;
use davy::model::record::Body;

const TWO_OF_TWO: (&str, &str) =
    ("vote = \"1oo2\"", "vote = \"2oo2\"\napproved = { by = \"Wang\", reason = \"the test\" }");

/// First-out and causes of the trips that were told.
fn told(bench: &Bench) -> Vec<(Option<String>, Vec<String>)> {
    bench.told(|body| match body {
        Body::Trip(trip) if trip.tripped => Some((trip.first_out.clone(), trip.causes.clone())),
        _ => None,
    })
}

#[test]
fn of_two_that_are_true_the_earlier_one_is_first_out_whichever_stands_first_in_the_file() {
    for (first, then) in
        [("bottle-room.lpg-2", "bottle-room.lpg-1"), ("bottle-room.lpg-1", "bottle-room.lpg-2")]
    {
        let mut bench = Bench::calm(&[TWO_OF_TWO]);
        bench.set(first, 60.0);
        bench.run(3);
        bench.set(then, 60.0);
        bench.run(3);
        let causes = ["bottle-room.lpg-1:trip".to_owned(), "bottle-room.lpg-2:trip".to_owned()];
        assert_eq!(told(&bench), [(Some(format!("{first}:trip")), causes.to_vec())]);
    }
}

#[test]
fn a_cause_that_is_not_known_is_told_as_bad_and_comes_behind_one_that_is_true() {
    let mut bench = Bench::calm(&[TWO_OF_TWO]);
    bench.break_point("bottle-room.lpg-1", Some(Fault::SensorFault));
    bench.run(15);
    bench.set("bottle-room.lpg-2", 60.0);
    bench.run(3);
    let causes = ["bottle-room.lpg-1:trip (bad)".to_owned(), "bottle-room.lpg-2:trip".to_owned()];
    assert_eq!(told(&bench), [(Some("bottle-room.lpg-2:trip".to_owned()), causes.to_vec())]);
}

#[test]
fn a_cause_that_is_not_known_may_come_first() {
    let mut bench = Bench::calm(&[]);
    bench.break_point("bottle-room.lpg-1", Some(Fault::SensorFault));
    bench.run(15);
    let bad = vec!["bottle-room.lpg-1:trip (bad)".to_owned()];
    assert_eq!(told(&bench), [(Some("bottle-room.lpg-1:trip".to_owned()), bad)]);
}
