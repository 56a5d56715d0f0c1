from pathlib import Path
from typing import Any

import h5py
import pytest

from mri_noise.io.ismrmrd.header import cartesian_encoding, read_header, voxel_size
from tests.io.ismrmrd_files import Header

PATH = Path("a.h5")
XML = Header((8, 5, 3), (4, 5, 3), (400.0, 150.0, 30.0), (200.0, 150.0, 30.0), centers=(1, 2)).to_xml()


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def stored_and_read(xml: Any) -> Any:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            return read_header(file.create_dataset("xml", data=xml), PATH)

    return stored_and_read


def test_the_encoding_is_what_the_header_says(read: Any) -> None:
    encoding = cartesian_encoding(read([XML]), PATH)
    assert (encoding.matrix, encoding.n_readout, encoding.centers) == ((8, 5, 3), 4, (1, 2))
    assert (encoding.noise_bandwidth, encoding.voxel_size) == (1.0, (50.0, 30.0, 10.0))


@pytest.mark.parametrize("xml", [XML, [XML], XML.encode(), XML.replace("<encoding>", "<news>1</news><encoding>")])
def test_scalars_arrays_bytes_and_unknown_elements_are_read(read: Any, xml: Any) -> None:
    assert cartesian_encoding(read(xml), PATH).matrix == (8, 5, 3)


def test_limits_left_at_their_defaults_put_the_centre_in_the_middle(read: Any) -> None:
    xml = XML.replace("<maximum>4</maximum>", "<maximum>0</maximum>").replace("<maximum>2</maximum>", "")
    assert cartesian_encoding(read(xml), PATH).centers == (2, 1)


def test_the_receivers_bandwidth_is_read(read: Any) -> None:
    assert cartesian_encoding(read(Header((8, 5, 3), noise_bandwidth=0.8).to_xml()), PATH).noise_bandwidth == 0.8


def test_a_voxel_needs_a_field_of_view(read: Any) -> None:
    assert voxel_size(read(XML), (4, 10)) == (100.0, 15.0, 10.0)
    assert voxel_size(read(XML.replace("<y>150.0</y>", "<y>0</y>")), (4, 10)) is None


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("not XML", "the header of 'a.h5' is not a complete ISMRMRD header"),
        ("<a/>", "the header of 'a.h5' is not a complete ISMRMRD header"),
        (XML[:300], "the header of 'a.h5' is not a complete ISMRMRD header"),
        (b"\xff\xfe\xfd", "the header of 'a.h5' is not a complete ISMRMRD header"),
        (XML.replace("ascii", "martian"), "the header of 'a.h5' is not a complete ISMRMRD header"),
        (XML.split("<encoding>")[0] + "</ismrmrdHeader>", "the header of 'a.h5' describes no encoding"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]>" + XML, "the header of 'a.h5' is refused because it declares a document type"),
        (1.5, "'/xml' in 'a.h5' should be one text"),
        ([XML, XML], "'/xml' in 'a.h5' should be one text"),
    ],
)
def test_what_is_no_header_is_one_sentence(read: Any, xml: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(xml)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<x>8</x>", "<x>0</x>", "unusable encoding: the encoded matrix should be at least 1 x 1 x 1, got 0 x 5 x 3"),
        ("<x>8</x>", "<x>eight</x>", "unusable encoding: .*eight"),
        ("cartesian", "spiral", "'a.h5' has a spiral trajectory"),
        ("cartesian", "unheard of", "'a.h5' has a unheard of trajectory"),
    ],
)
def test_encodings_without_sense_are_one_sentence(read: Any, old: str, new: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cartesian_encoding(read(XML.replace(old, new)), PATH)
