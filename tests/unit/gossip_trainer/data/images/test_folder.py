import pytest

from gossip_trainer.data.images.folder import class_names, scan_images
from gossip_trainer.errors import DataError


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_images_are_sorted_by_class_and_name(tmp_path):
    touch(tmp_path, "b/2.jpg", "b/1.PNG", "a/3.JPEG", "c/ä.jpeg", "b/notes.txt", "README")
    classes = class_names(tmp_path)
    files = scan_images(tmp_path, classes, all_classes=True)
    assert classes == ["a", "b", "c"]
    assert files.targets.tolist() == [0, 1, 1, 2]
    names = ["a/3.JPEG", "b/1.PNG", "b/2.jpg", "c/ä.jpeg"]
    assert [files.path(index) for index in range(4)] == [f"{tmp_path}/{name}" for name in names]


def test_a_test_split_numbers_classes_as_the_training_split_does(tmp_path):
    touch(tmp_path, "b/1.jpg", "c/1.jpg")
    files = scan_images(tmp_path, ["a", "b", "c"], all_classes=False)
    assert files.targets.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ([], "/images: cannot be read: No such file or directory; expected is one folder per"),
        (["1.jpg"], "/images: has 0 folders in it; .* at least two classes"),
        (["a/1.jpg", "b/readme"], "/images/b: has no image .* add some or remove the folder"),
        (["a/1.jpg", "b/1.jpg", "z/1.jpg"], "/images/z: is none of the 2 classes"),
    ],
)
def test_a_folder_that_is_laid_out_otherwise_is_refused(tmp_path, names, problem):
    touch(tmp_path / "images", *names) if names else None
    with pytest.raises(DataError, match=problem):
        scan_images(tmp_path / "images", ["a", "b"], all_classes=True)


def test_a_split_without_any_image_is_refused(tmp_path):
    touch(tmp_path, "a/x.txt", "b/y.txt")
    with pytest.raises(DataError, match=r"has no image .* in its folders"):
        scan_images(tmp_path, ["a", "b"], all_classes=False)
