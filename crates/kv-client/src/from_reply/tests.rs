//! Of what replies become.

use super::*;

fn bulk(text: &'static str) -> Reply {
    Reply::Bulk(Bytes::from_static(text.as_bytes()))
}

fn array(replies: impl IntoIterator<Item = Reply>) -> Reply {
    Reply::Array(replies.into_iter().collect::<Vec<_>>().into())
}

#[test]
fn a_map_is_the_same_in_every_shape_it_can_arrive_in() {
    let flat = || [bulk("a"), bulk("1"), bulk("b"), bulk("2")];
    let expected = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]);
    let shapes = [
        Reply::Map(flat().to_vec().into()),
        array(flat()),
        array([array([bulk("a"), bulk("1")]), array([bulk("b"), bulk("2")])]),
    ];
    for shape in shapes {
        assert_eq!(
            BTreeMap::<String, i64>::from_reply(shape.clone()),
            Ok(expected.clone()),
            "{shape:?}"
        );
        assert_eq!(
            Vec::<(String, i64)>::from_reply(shape.clone()),
            Ok(vec![("a".to_owned(), 1), ("b".to_owned(), 2)]),
            "{shape:?}"
        );
    }
    let odd = BTreeMap::<String, i64>::from_reply(array([bulk("a")]));
    assert_eq!(
        odd.unwrap_err().to_string(),
        "expected a map, got a key without a value"
    );
}

#[test]
fn a_number_that_does_not_fit_is_an_error_and_not_another_number() {
    assert_eq!(
        u16::from_reply(Reply::Integer(65536))
            .unwrap_err()
            .to_string(),
        "expected an integer (u16), got the integer 65536"
    );
    assert_eq!(u64::from_reply(bulk("18446744073709551615")), Ok(u64::MAX));
    assert!(u32::from_reply(Reply::Integer(-1)).is_err());
    assert!(i64::from_reply(bulk("1.5")).is_err());
    assert_eq!(i64::from_reply(Reply::Double(-3.0)), Ok(-3));
    for number in [1.5, 1e300, f64::INFINITY, f64::NAN] {
        assert!(i64::from_reply(Reply::Double(number)).is_err(), "{number}");
    }
    assert_eq!(f64::from_reply(bulk("inf")), Ok(f64::INFINITY));
    for too_large in [Reply::Double(1e300), bulk("1e300"), bulk("-1e300")] {
        assert!(f32::from_reply(too_large).is_err());
    }
    assert!(f64::from_reply(bulk("1e999")).is_err());
    for infinite in [Reply::Double(f64::INFINITY), bulk("inf")] {
        assert_eq!(f32::from_reply(infinite), Ok(f32::INFINITY));
    }
    assert!(f32::from_reply(Reply::Double(f64::NAN)).is_ok_and(f32::is_nan));
    assert!(f64::from_reply(bulk("-nan")).is_ok_and(f64::is_nan));
    assert_eq!(f32::from_reply(Reply::Integer(3)), Ok(3.0));
}

#[test]
fn binary_data_is_not_text_but_is_bytes() {
    let binary = Reply::Bulk(Bytes::from_static(b"\xff\r\n\0"));
    assert!(String::from_reply(binary.clone()).is_err());
    assert_eq!(Vec::<u8>::from_reply(binary), Ok(b"\xff\r\n\0".to_vec()));
}

#[test]
fn a_small_number_is_a_number_and_many_are_binary_data() {
    assert_eq!(u8::from_reply(bulk("255")), Ok(255));
    assert_eq!(u8::from_reply(Reply::Integer(7)), Ok(7));
    let error = u8::from_reply(Reply::Integer(256)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected an integer (u8), got the integer 256"
    );
    assert_eq!(
        Vec::<Vec<u8>>::from_reply(array([bulk("12"), bulk("")])),
        Ok(vec![b"12".to_vec(), Vec::new()])
    );
    assert_eq!(<[u8; 2]>::from_reply(bulk("12")), Ok(*b"12"));
    assert_eq!(Option::<Vec<u8>>::from_reply(Reply::Null), Ok(None));
    assert!(Vec::<u8>::from_reply(array([Reply::Integer(1)])).is_err());
}

#[test]
fn the_length_of_a_tuple_must_be_that_of_the_list() {
    assert_eq!(
        <(String, i64)>::from_reply(array([bulk("a"), bulk("2")])),
        Ok(("a".to_owned(), 2))
    );
    let error = <(String, i64)>::from_reply(array([bulk("a")])).unwrap_err();
    assert_eq!(error.to_string(), "expected a list of 2, got one of 1");
}

#[test]
fn an_error_inside_a_list_is_not_lost() {
    let list = array([
        bulk("a"),
        Reply::Error(crate::error::ServerError::new(b"ERR no")),
    ]);
    assert!(
        Vec::<Option<String>>::from_reply(list)
            .unwrap_err()
            .to_string()
            .contains("ERR no")
    );
}
