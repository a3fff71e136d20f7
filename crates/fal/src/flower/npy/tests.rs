use proptest::prelude::*;

use super::*;

/// A file of version 1 with this header and these values.
fn file(header: &str, values: &[u8]) -> Vec<u8> {
    let length = (header.len() as u16).to_le_bytes();
    [MAGIC, &[1, 0], &length, header.as_bytes(), values].concat()
}

fn header(descr: &str, order: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n")
}

fn any_array() -> impl Strategy<Value = Array> {
    prop::collection::vec(0..5_usize, 0..4).prop_flat_map(|shape| {
        let size = size(&shape).unwrap();
        prop::collection::vec(any::<f32>(), size)
            .prop_map(move |values| Array::new(shape.clone(), values).unwrap())
    })
}

fn bits(array: &Array) -> Vec<u32> {
    array.values().iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #[test]
    fn what_is_written_is_read(array in any_array()) {
        let file = write(&array);
        prop_assert_eq!((file.len() - 4 * array.values().len()) % ALIGNMENT, 0);
        let read = read(&file).unwrap();
        prop_assert_eq!(read.shape(), array.shape());
        prop_assert_eq!(bits(&read), bits(&array));
    }

    #[test]
    fn nothing_makes_the_reader_panic(bytes: Vec<u8>, text in "[ -~]{0,60}") {
        let _ = read(&bytes);
        let _ = read(&file(&text, &bytes));
    }

    #[test]
    fn a_file_that_was_cut_is_refused(array in any_array(), cut in 0.0..1.0) {
        let file = write(&array);
        let kept = (file.len() as f64 * cut) as usize;
        prop_assert!(read(&file[..kept]).is_err());
    }
}

#[test]
fn axes_and_bytes_may_be_in_any_order() {
    let values: Vec<u8> = (1..=6_i16).flat_map(i16::to_be_bytes).collect();
    let array = read(&file(&header(">i2", "True", "(2, 3)"), &values)).unwrap();
    assert_eq!((array.shape(), array.values()), (&[2, 3][..], &[1., 3., 5., 2., 4., 6.][..]));
    let header = header("<f8", "False", "()");
    let version_2 = [MAGIC, &[2, 0], &(header.len() as u32).to_le_bytes(), header.as_bytes()];
    let file = [version_2.concat(), 0.25_f64.to_le_bytes().to_vec()].concat();
    assert_eq!(read(&file).unwrap().values(), [0.25]);
}

#[test]
fn numbers_of_every_type_are_read() {
    let one_and_two = |descr: &str, one: &[u8], two: &[u8]| {
        let file = file(&header(descr, "False", "(2,)"), &[one, two].concat());
        assert_eq!(read(&file).unwrap().values(), [1.0, 2.0], "{descr}");
    };
    one_and_two("<f4", &1_f32.to_le_bytes(), &2_f32.to_le_bytes());
    one_and_two(">f8", &1_f64.to_be_bytes(), &2_f64.to_be_bytes());
    one_and_two("|i1", &[1], &[2]);
    one_and_two("|u1", &[1], &[2]);
    one_and_two("<i4", &1_i32.to_le_bytes(), &2_i32.to_le_bytes());
    one_and_two("<i8", &1_i64.to_le_bytes(), &2_i64.to_le_bytes());
    one_and_two("<u2", &1_u16.to_le_bytes(), &2_u16.to_le_bytes());
    one_and_two(">u4", &1_u32.to_be_bytes(), &2_u32.to_be_bytes());
    one_and_two("<u8", &1_u64.to_le_bytes(), &2_u64.to_le_bytes());
    let truths = file(&header("|b1", "False", "(2,)"), &[0, 1]);
    assert_eq!(read(&truths).unwrap().values(), [0.0, 1.0]);
}

#[test]
fn arrays_have_as_many_axes_as_in_numpy() {
    let of =
        |axes: usize| file(&header("<f4", "True", &format!("({})", "1, ".repeat(axes))), &[0; 4]);
    let widest = read(&of(64)).unwrap();
    assert_eq!(read(&write(&widest)).unwrap().shape(), [1; 64]);
    assert_eq!(read(&of(65)), Err(NpyError::Shape(ShapeError::Axes(65))));
}

#[test]
fn what_cannot_be_used_is_named() {
    let error = |header: &str| read(&file(header, &[0; 8])).unwrap_err();
    assert_eq!(read(b"PK\x03\x04"), Err(NpyError::Magic));
    assert_eq!(read(b"\x93NUMPY\x09\x00\x00\x00"), Err(NpyError::Version(9)));
    assert_eq!(error(&header("<c8", "False", "(1,)")), NpyError::Type("<c8".to_owned()));
    assert_eq!(error(&header("|O", "False", "(1,)")), NpyError::Type("|O".to_owned()));
    let structured = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }";
    assert!(matches!(error(structured), NpyError::Type(_)));
    assert!(matches!(error(&header("<f4", "Maybe", "(2,)")), NpyError::Header(_)));
    assert!(matches!(error(&header("<f4", "False", "(-2,)")), NpyError::Header(_)));
    assert!(matches!(error("{}"), NpyError::Header(_)));
    let huge = header("<f4", "False", "(4294967296, 4294967296, 2)");
    assert!(matches!(error(&huge), NpyError::Header(_)));
    let expected = NpyError::Length { part: "of values", expected: 12, found: 8 };
    assert_eq!(error(&header("<f4", "False", "(3,)")), expected);
}
