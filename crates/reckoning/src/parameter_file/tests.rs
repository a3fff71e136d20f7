//! What is written comes back, and what does not fit is named.

use super::*;

fn file(parameters: &[(String, TensorData)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parameters.safetensors");
    std::fs::write(&path, to_bytes(parameters, None).unwrap()).unwrap();
    (folder, path)
}

fn example() -> Vec<(String, TensorData)> {
    let halves = TensorData::from([1.0f32, -2.0]).convert_dtype(DType::BF16);
    vec![("a".into(), TensorData::from([[0.1f64, f64::NAN]])), ("b".into(), halves)]
}

#[test]
fn values_come_back_in_their_precision() {
    let (_folder, path) = file(&example());
    let mut file = ParameterFile::open(&path).unwrap();
    assert_eq!(file.names().collect::<Vec<_>>(), ["a", "b"]);
    for (name, data) in example() {
        let taken = file.take(&name, &data.shape).unwrap();
        assert_eq!((taken.as_bytes(), taken.dtype), (data.as_bytes(), data.dtype));
    }
    file.finish().unwrap();
}

#[test]
fn every_misfit_is_named() {
    let (_folder, path) = file(&example());
    let mut file = ParameterFile::open(&path).unwrap();
    assert!(
        matches!(file.take("c", &[1]), Err(ParameterFileError::Missing { tensor, .. }) if tensor == "c")
    );
    let shape = file.take("a", &[2, 1]).unwrap_err();
    assert!(
        shape.to_string().contains("`a` is [1, 2], but the configuration asks for [2, 1]"),
        "{shape}"
    );
    file.ignore(|name| name == "a");
    assert!(
        matches!(file.finish(), Err(ParameterFileError::Unexpected { tensor, .. }) if tensor == "b")
    );
}

#[test]
fn whole_numbers_are_no_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.safetensors");
    let view = TensorView::new(Dtype::I64, vec![1], &[0; 8]).unwrap();
    std::fs::write(&path, safetensors::serialize([("tokens", view)], None).unwrap()).unwrap();
    let error = ParameterFile::open(&path).unwrap().take("tokens", &[1]).unwrap_err();
    assert!(
        matches!(&error, ParameterFileError::Precision { found, .. } if found == "I64"),
        "{error}"
    );
    assert!(to_bytes(&[("tokens".into(), TensorData::from([1i64]))], None).is_err());
}

#[test]
fn every_truncation_is_refused() {
    let (_folder, path) = file(&example());
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(
            matches!(ParameterFile::open(&path), Err(ParameterFileError::Malformed { .. })),
            "{length}"
        );
    }
    let absent = ParameterFile::open(&path.with_extension("none"));
    assert!(matches!(absent, Err(ParameterFileError::Access { .. })));
}
