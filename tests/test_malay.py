"""The language room: what a Malaysian would accept, as tables; what must hold for every text, as properties."""

import datetime
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.malay import affixes, classifiers, dates, jawi, register, shortforms
from helpers.malay.affixes import analyse, attach
from helpers.malay.dates import find_dates, find_percentages
from helpers.malay.shortforms import normalise

quick = settings(max_examples=150, deadline=None, database=None, derandomize=True)

# Written before the analyser was tuned: word, prefixes, root, suffixes, reduplication. "-" is nothing; "+" joins layers, outermost first.
AFFIXES = """
membaca meN baca - | menulis meN tulis - | memukul meN pukul - | mengambil meN ambil - | mengira meN kira - | menyapu meN sapu -
melihat meN lihat - | mengecat meN cat - | mengebom meN bom - | mengepam meN pam - | mengkaji meN kaji - | pengkaji peN kaji -
pengkajian peN kaji an | mempunyai meN punya i | mentafsir meN tafsir - | pentafsiran peN tafsir an | memproses meN proses -
pemprosesan peN proses an | mengkritik meN kritik - | menstabilkan meN stabil kan | menterjemahkan meN terjemah kan
penterjemah peN terjemah - | pentadbiran peN tadbir an | mempengaruhi meN pengaruh i | mempercayai meN percaya i
mengesahkan meN sah kan | pengesahan peN sah an | mengehadkan meN had kan | mengesyorkan meN syor kan | mensyaratkan meN syarat kan
pensyarah peN syarah - | mensyukuri meN syukur i | mengkhianati meN khianat i | memfitnah meN fitnah - | memveto meN veto -
menzalimi meN zalim i | menyanyi meN nyanyi - | penyanyi peN nyanyi - | mengarang meN karang - | pengarang peN karang -
karangan - karang an | memakan meN makan - | pemakanan peN makan an | mengurus meN urus - | pengurusan peN urus an
mengukur meN ukur - | memikirkan meN fikir kan | pemikiran peN fikir an | memahami meN faham i | menelefon meN telefon -
mengagumkan meN kagum kan | memimpin meN pimpin - | pemimpin peN pimpin - | kepimpinan ke pimpin an | menyewa meN sewa -
mengasihi meN kasih i | mengikut meN ikut - | menguji meN uji - | menghantar meN hantar - | menggunakan meN guna kan
mengingati meN ingat i | mewarnakan meN warna kan | merasakan meN rasa kan | menjalankan meN jalan kan | mencari meN cari -
mendapatkan meN dapat kan | mempamerkan meN pamer kan | mensasarkan meN sasar kan | menyelia meN selia - | penyelia peN selia -
menternak meN ternak - | penternak peN ternak - | menganga meN nganga - | memberi meN beri - | pemberian peN beri an
pelari peN lari - | pelukis peN lukis - | pemain peN main - | pewaris peN waris - | perokok peN rokok - | pengguna peN guna -
pelanggan peN langgan - | penulis peN tulis - | penulisan peN tulis an | penjual peN jual - | pembeli peN beli -
pembangunan peN bangun an | pendidikan peN didik an | pendidik peN didik - | penyelidikan peN selidik an | pengangkutan peN angkut an
penggunaan peN guna an | pengguna peN guna - | penyakit peN sakit - | pesakit pe sakit - | pesalah pe salah - | pesawah pe sawah -
petani pe tani - | pelajar pe ajar - | pengajar peN ajar - | pengajaran peN ajar an | pekerja pe kerja - | petinju pe tinju -
pejuang pe juang - | pedagang pe dagang - | pekebun pe kebun - | petugas pe tugas - | peserta pe serta - | pesilat pe silat -
belajar ber ajar - | bekerja ber kerja - | beternak ber ternak - | berasa ber rasa - | berenang ber renang - | berehat ber rehat -
bermain ber main - | berjalan ber jalan - | berpakaian ber pakai an | bersalaman ber salam an | berkenalan ber kenal an
berterusan ber terus an | berlarian ber lari an | bertanya ber tanya - | beruang - beruang - | berasal ber asal - | beratur ber atur -
terasa ter rasa - | terjatuh ter jatuh - | terbesar ter besar - | tertinggal ter tinggal - | terambil ter ambil - | terbang - terbang -
rumah - rumah - | perumahan per rumah an | pertanian per tani an | perikanan per ikan an | pekerjaan per kerja an
pelajaran per ajar an | perniagaan per niaga an | perhentian per henti an | peperiksaan per periksa an | peperangan per perang an
permainan per main an | perkebunan per kebun an | pergaulan per gaul an | persatuan per satu an | perjalanan per jalan an
memperkuat memper kuat - | memperoleh memper oleh - | mempelajari memper ajar i | memperkenalkan memper kenal kan
memperingati memper ingat i | diperbaiki diper baik i | diperoleh diper oleh - | dipelajari diper ajar i | memperbesarkan memper besar kan
dibaca di baca - | dibeli di beli - | diambil di ambil - | dinaikkan di naik kan | ditemui di temu i | dikaji di kaji -
keadaan ke ada an | kerajaan ke raja an | kesihatan ke sihat an | kelaparan ke lapar an | kemalangan ke malang an | kehujanan ke hujan an
kepercayaan ke percaya an | kewangan ke wang an | kesatuan ke satu an | kekasih ke kasih - | kehendak ke hendak - | ketua - ketua -
mengetahui meN+ke tahu i | pengetahuan peN+ke tahu an | berkeinginan ber+ke ingin an | berpendidikan ber+peN didik an
berpengetahuan ber+peN+ke tahu an | berpengalaman ber+peN alam an | keterbukaan ke+ter buka an | kepenggunaan ke+peN guna an
menyeragamkan meN+se ragam kan | mengetengahkan meN+ke tengah kan | mengemukakan meN+ke muka kan | memberhentikan meN+ber henti kan
pemberhentian peN+ber henti an | seperjuangan se+per juang an | diberhentikan di+ber henti kan
berikan - beri kan | makanan - makan an | minuman - minum an | tulisan - tulis an | pakaian - pakai an | hargai - harga i | masakan - masak an
bukan - bukan - | makan - makan - | ikan - ikan - | sekolah - sekolah - | badan - badan - | hakim - hakim - | sungai - sungai -
bukunya - buku nya | rumahku - rumah ku | namamu - nama mu | makanlah - makan lah | apakah - apa kah | pergilah - pergi lah
kubaca ku baca - | kaulihat kau lihat - | makanannya - makan an+nya | diberikannya di beri kan+nya | bolehkah - boleh kah
sebaiknya se baik nya | selama se lama - | sebesar se besar - | seekor se ekor - | setahun se tahun - | sekampung se kampung -
buku-buku - buku - penuh | kanak-kanak - kanak - penuh | berlari-lari ber lari - penuh | berbalas-balasan ber balas an penuh
tolong-menolong meN tolong - penuh | menari-nari meN tari - penuh | kemerah-merahan ke merah an penuh | sayur-mayur - sayur - berentak
gunung-ganang - gunung - berentak | sebaik-baiknya se baik nya penuh | kawan-kawannya - kawan nya penuh | lauk-pauk - lauk - berentak
bermaaf-maafan ber maaf an penuh | perlahan-lahan - perlahan - penuh | pepohon - pohon - separa | dedaun - daun - separa
pelajar-pelajar pe ajar - penuh | mengangguk-angguk meN angguk - penuh | kuih-muih - kuih - berentak | beramai-ramai ber ramai - penuh
"""
TABLE = [(row + " -").split()[:5] for line in AFFIXES.strip().splitlines() for row in line.split(" | ")]


def joined(a):
    return ("+".join(a.prefixes) or "-", a.root, "+".join(a.suffixes) or "-", a.reduplication or "-")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_a_word_is_taken_apart(row):
    word, *want = row
    first = analyse(word)[0]
    assert joined(first) == tuple(want)
    assert first.known and first.standard


@pytest.mark.parametrize("row", [r for r in TABLE if r[4] in "-penuh"], ids=lambda row: row[0])
def test_a_word_is_put_together(row):
    word, prefix, root, suffix, double = row
    made = [attach(root, prefix, suffix, double=d) for d in ([None] if double == "-" else ["penuh", "saling", "kata"])]
    assert word in made or root == "perlahan"


PATTERNS = {
    "kerja": "meN: meN:kan meN:i di: di:kan di:i ter: ber: peN: peN:an :an :kan ku: :nya :lah",
    "adjektif": "meN:kan ke:an ter: se: memper: memper:kan di:kan :nya :lah",
    "nama": "ber: se: :nya :ku per:an meN:i ke:an :kah",
}


def test_roots_come_back_from_every_pattern():
    ranks = []
    for root, parts in sorted(affixes.lexicon()["words"].items())[::9]:
        for prefix, suffix in (p.split(":") for part in parts for p in PATTERNS.get(part, "").split()):
            if "-" not in root and (suffix, root[-1]) != ("i", "i"):
                keys = [joined(a)[:3] for a in analyse(attach(root, prefix, suffix))]
                ranks.append(keys.index((prefix or "-", root, suffix or "-")))
    assert sum(r == 0 for r in ranks) / len(ranks) >= 0.985
    assert sum(r < 2 for r in ranks) / len(ranks) >= 0.998


@quick
@given(st.text("aeioubdgklmnprstwyé2-", min_size=1, max_size=14))
def test_every_word_has_a_reading_and_standard_readings_are_rebuilt(word):
    found = analyse(word)
    assert found
    for a in found:
        if a.standard and not a.reduplication and word.isalpha() and word.isascii():
            assert attach(a.root, a.prefixes, a.suffixes) == word


def test_what_is_unknown_or_not_standard_is_said():
    assert not analyse("menggugel")[0].known and analyse("menggugel")[0].root == "gugel"
    for word, root, right in [
        ("mengkaitkan", "kait", "mengaitkan"),
        ("mempastikan", "pasti", "memastikan"),
        ("mensyaki", "syak", "mengesyaki"),
    ]:
        first = analyse(word)[0]
        assert first.root == root and not first.standard
        assert attach(root, first.prefixes, first.suffixes) == right
    with pytest.raises(ValueError, match="unknown prefix"):
        attach("baca", "men")
    with pytest.raises(ValueError, match="one word"):
        analyse("dua kata")


CHAT = """
sy x tau nk g mana, org2 kat situ mcm sibuk je|saya tidak tahu hendak pergi mana, orang-orang di situ macam sibuk sahaja
Salam kak, nk tnya, kedai buka smpi pkl brp? Sy nk dtg lps keje.|Salam kak, hendak tanya, kedai buka sampai pukul berapa? Saya hendak datang lepas kerja.
kawan2nya berlari2an kat padang, budak2 tu menari2|kawan-kawannya berlari-larian di padang, budak-budak itu menari-nari
Permohonan sy dh 3 bln x dpt jwpn, mcm mn ni?|Permohonan saya sudah 3 bulan tidak dapat jawapan, macam mana ini?
Rumah kat Kajang tu sewa dia RM1,200 je, 3 bilik.|Rumah di Kajang itu sewa dia RM1,200 sahaja, 3 bilik.
Surat tu dr bank, bkn dr pejabat tanah.|Surat itu daripada bank, bukan dari pejabat tanah.
Wei, ade nampak kunci moto aku x?|Wei, ada nampak kunci motosikal aku tidak?
Aku xtau la nak ckp apa lg kat dia.|Aku tidak tahulah hendak cakap apa lagi kepada dia.
Duit x ckp bln ni, mlm pun x lena.|Duit tidak cukup bulan ini, malam pun tidak lena.
Kata nk blk kg raya ni, beras dh beli 5 kg?|Kata hendak balik kampung raya ini, beras sudah beli 5 kg?
Takde org kat kaunter, dh setengah jam tunggu.|Tiada orang di kaunter, sudah setengah jam tunggu.
Nombor tu x betul, cuba tgk saiz x dlm jadual.|Nombor itu tidak betul, cuba tengok saiz x dalam jadual.
Camne nk tukar alamat kat IC? Kena pegi JPN ke?|Bagaimana hendak tukar alamat di IC? Kena pergi JPN ke?
Kwn2 sekelas sume dtg, cuma Devi yg demam.|Kawan-kawan sekelas semua datang, cuma Devi yang demam.
SAYA X BOLEH DTG MLM NI|SAYA TIDAK BOLEH DATANG MALAM INI
jln-jln dgn apanye. X pe, boleh x?|jalan-jalan dengan apanya. Tidak mengapa, boleh tidak?
jumpa pg esok pukul 8 pg, nk pg kedai|jumpa pagi esok pukul 8 pagi, hendak pergi kedai
"""


@pytest.mark.parametrize("pair", [line.split("|") for line in CHAT.strip().splitlines()], ids=lambda pair: pair[0][:20])
def test_short_forms_are_written_out_and_taken_back(pair):
    result = normalise(pair[0])
    assert result.text == pair[1]
    assert result.restore() == pair[0]
    assert all(result.original_span(c.new_start, c.new_end) == (c.start, c.end) for c in result.changes)


@pytest.mark.parametrize(
    "text",
    [
        "papan 3 x 4, saiz x, X-ray, 2x seminggu, nilai x ialah 5, Malcolm X",
        "Lihat www.yg.com/x?tk atau yg@tk.my #xnak @yg RM3.5k no. 5, fail yg.txt",
        "I want to die. Can you send me the same form? No problem, u can.",
        "dr Aminah dan Kat 3, skim mlm itu, MLM, tau fu fa, beras 5 kg, kat A",
        "Tingkatan2 Fasa2 blok2 CO2 mp3 orang22 xerox",
        "Encik Lim Tu Ni bin Dr. Sim hadir pada 3/4/2026; nak-nak pula hujan.",
    ],
)
def test_what_is_no_short_form_stays(text):
    assert normalise(text).text == text


@quick
@given(
    st.lists(
        st.text(max_size=8)
        | st.sampled_from(
            ["x", "yg", "X", "org2", "Kat", "la", "kawan2nya", "xtau", "RM5", "3", ",", "?", "dr\n", "g", "nak-nak", "🙂", "\ud800"]
        ),
        max_size=12,
    )
)
def test_every_text_can_be_restored(pieces):
    text = " ".join(pieces)
    result = normalise(text)
    assert result.restore() == text
    for change in result.changes:
        assert text[change.start : change.end] == change.old and result.text[change.new_start : change.new_end] == change.new


WRONG = """
Dia membeli dua ekor kereta.|dua buah kereta
Ada sebuah kucing di bawah meja.|seekor kucing
Seekor guru baharu melapor diri.|Seorang guru
Ibu membeli lima orang pisau.|lima bilah pisau
Ayah menanam sepuluh helai pokok getah.|sepuluh batang pokok getah
Adik menerima dua buah surat.|dua pucuk surat
Kakak memakai sebuah cincin emas.|sebentuk cincin
Dia menghadiahkan tiga ekor bunga mawar.|tiga kuntum bunga mawar
Ada 3 biji kereta di hadapan rumah.|3 buah kereta
Lapan belas ekor murid ponteng.|Lapan belas orang murid
Nenek menjahit sebiji baju.|sehelai baju
Banyak buku-buku di rak itu.|Banyak buku
Tiga buah kereta-kereta itu rosak.|Tiga buah kereta
"""


@pytest.mark.parametrize("pair", [line.split("|") for line in WRONG.strip().splitlines()], ids=lambda pair: pair[0][:20])
def test_a_wrong_classifier_is_found(pair):
    (problem,) = classifiers.check(pair[0])
    assert problem.suggestion == pair[1]
    assert pair[0][problem.start : problem.end] == problem.text
    assert not classifiers.check(pair[0].replace(problem.text, problem.suggestion))


def test_correct_classifiers_pass():
    text = """Dua orang nelayan menarik sebuah perahu. Di dalamnya ada lima belas ekor ikan, sebilah parang dan dua gulung tali.
    Pak Long mengambil dua tandan pisang, dan sesisir pisang dijual RM4; serumpun serai, beberapa kuntum bunga raya.
    Sepasukan polis merampas dua laras pistol, sepucuk senapang patah, lima puluh butir peluru. Beberapa das tembakan dilepaskan.
    Mak Su menerima sepucuk surat, dua keping poskad, sehelai kain batik, sepasang kasut, seutas rantai leher dan senaskhah kitab.
    Dua orang kampung membakar lima puluh cucuk sate; sepuluh patah perkataan dan serangkap pantun selaras dengan pelajaran.
    Sepapan petai, sebuku roti, tiga ketul ayam goreng, dua botol kicap, seekor anak kucing, banyak kupu-kupu, seorang diri."""
    assert classifiers.check(text) == []
    assert classifiers.classifier_for("kapal terbang") == ["buah"]
    assert classifiers.classifier_for("pokok durian") == ["batang"]
    assert classifiers.classifier_for("angkasawan") == ["orang"]
    assert classifiers.classifier_for("blorf") == []


NAMES = [
    ("YBhg. Dato' Ir. Dr. Haji Ahmad bin Ismail", ("Yang Berbahagia", "Dato'", "Ir.", "Dr.", "Haji"), "Ahmad", "bin", "Ismail", "Dato'"),
    ("Tan Mei Ling", (), "Tan Mei Ling", "", "", "Tuan/Puan"),
    ("Tan Sri Lim Kok Wah", ("Tan Sri",), "Lim Kok Wah", "", "", "Tan Sri"),
    ("Kavitha A/P Raman", (), "Kavitha", "a/p", "Raman", "Puan"),
    ("Jabu ak Ngumbang", (), "Jabu", "anak", "Ngumbang", "Tuan/Puan"),
    ("Encik Mohd Faiz b. Abdullah", ("Encik",), "Mohd Faiz", "bin", "Abdullah", "Tuan"),
    ("YB Datuk Seri Rosli bin Kamal", ("Yang Berhormat", "Datuk Seri"), "Rosli", "bin", "Kamal", "Yang Berhormat Datuk Seri"),
    ("Prof. Madya Ts. Dr. Wong Siew Lan", ("Profesor Madya", "Ts.", "Dr."), "Wong Siew Lan", "", "", "Profesor Madya"),
    ("Puan Hajah Rokiah bt Daud", ("Puan Hajah",), "Rokiah", "binti", "Daud", "Puan Hajah"),
    ("Raja Gopal s/o Muniandy", (), "Raja Gopal", "s/o", "Muniandy", "Tuan"),
]


@pytest.mark.parametrize("row", NAMES, ids=lambda row: row[0])
def test_names_and_titles(row):
    text, titles, given_name, particle, parent, address = row
    name = register.parse_name(text)
    assert (name.titles, name.given, name.particle, name.parent) == (titles, given_name, particle, parent)
    assert register.greeting(text) == address


def test_titles_of_a_letter_are_ordered():
    assert register.parse_name("Lim Ah Kow @ Lim Ah Kau").alias == "Lim Ah Kau"
    assert register.order_titles(["Dr.", "Haji", "Dato'", "Prof.", "YBhg."]) == ["Yang Berbahagia", "Profesor", "Dato'", "Dr.", "Haji"]
    assert register.order_titles(["Encik", "Dr."]) == ["Dr."]
    assert register.sort_names(["Puan Aminah", "Tun Hamzah", "Dr. Lee Mei", "Datuk Wahid"])[:2] == ["Tun Hamzah", "Datuk Wahid"]
    with pytest.raises(ValueError, match="no name"):
        register.parse_name("Dr.")
    with pytest.raises(ValueError, match="unknown title"):
        register.order_titles(["Lord"])


REGISTERS = """
rasmi|Dengan segala hormatnya, saya merujuk perkara di atas. Sukacita dimaklumkan bahawa permohonan tuan telah diluluskan.
rasmi|Sehubungan dengan itu, pihak kami memohon jasa baik pihak tuan untuk mempertimbangkan permohonan ini.
baku|Hutan paya bakau melindungi pantai daripada hakisan dan menjadi tempat pembiakan ikan serta udang.
baku|Saya dilahirkan di Tawau dan dibesarkan oleh nenek. Selepas tamat sekolah, saya bekerja di sebuah kilang papan.
santai|Awak dah makan ke belum? Jom kita pergi kedai mamak dekat simpang tu. Saya nak minum teh tarik je.
santai|Aku tak sangka kau boleh masak sedap macam ni. Lain kali ajar aku ya.
pasar|sy nk tny psl bil bln ni, knp mahal sgt? td sy dh call x dpt
pasar|Lu punya kereta sudah siap ka? Gua tunggu dari pagi, apa pasal lambat?
campur|Meeting tomorrow kita start at 9, please bring the latest version of the proposal and your own laptop, okay?
campur|Boss I dah submit the report semalam, but dia kata figure tu not updated, so I kena redo the whole thing.
"""


@pytest.mark.parametrize("pair", [line.split("|") for line in REGISTERS.strip().splitlines()], ids=lambda pair: pair[1][:20])
def test_registers_by_their_cues(pair):
    result = register.register(pair[1])
    assert result.label == pair[0]
    assert all(pair[1][c.start : c.end] == c.text for c in result.cues)
    assert sum(result.counts.values()) == len(result.cues)


def test_jawi_says_where_a_spelling_comes_from():
    result = jawi.to_jawi("Saya belajar di sekolah, dan guru-guru mengajar bahasa Melayu pada 1957?")
    assert result.text == "ساي بلاجر د سکوله، دان ݢورو٢ مڠاجر بهاس ملايو ڤد ١٩٥٧؟"
    sources = {w.rumi: w.source for w in result.words}
    assert sources["sekolah"] == "senarai" and sources["mengajar"] == "terbitan"
    assert jawi.spell("blogger").source == "petua"
    for rumi, spelling in {"diambil": "دأمبيل", "keadaan": "کأداءن", "bacaan": "باچاءن", "menulis": "منوليس", "mengikut": "مڠيکوت"}.items():
        assert jawi.spell(rumi).jawi == spelling
    right, known = jawi.rule_accuracy()
    assert right / known > 0.75


def test_jawi_uses_the_letters_of_malay():
    letters = set("".join(jawi.tables()["words"].values()))
    assert letters <= set("ءأإؤئىابةتثجچحخدذرزسشصضطظعغڠفڤقکݢلمنڽهويۏ٢")
    assert {"چ", "ڠ", "ڤ", "ݢ", "ڽ", "ۏ"} <= letters  # not the Arabic or Persian look-alikes


@quick
@given(st.text("abcdefghijklmnopqrstuvwxyz ,.?-19", max_size=40))
def test_jawi_spells_whatever_comes(text):
    assert not any("a" <= c <= "z" for c in jawi.to_jawi(text).text)


MONTH_NAMES = ["Januari", "Februari", "Mac", "April", "Mei", "Jun", "Julai", "Ogos", "September", "Oktober", "November", "Disember"]
DAY_NAMES = ["Isnin", "Selasa", "Rabu", "Khamis", "Jumaat", "Sabtu", "Ahad"]
FORMATS = [
    lambda d: f"{d.day} {MONTH_NAMES[d.month - 1]} {d.year}",
    lambda d: f"{d.day}/{d.month}/{d.year}",
    lambda d: f"{d.day:02}.{d.month:02}.{d.year}",
    lambda d: f"{d.day}-{d.month}-{d.year % 100:02}",
    lambda d: d.isoformat(),
    lambda d: f"{d.day}hb {MONTH_NAMES[d.month - 1]} {d.year}",
    lambda d: f"{DAY_NAMES[d.weekday()]}, {d.day} {MONTH_NAMES[d.month - 1]} {d.year}",
]


@quick
@given(st.dates(datetime.date(1950, 1, 1), datetime.date(2049, 12, 31)), st.sampled_from(FORMATS))
def test_every_date_is_read_back(day, form):
    (found,) = find_dates(f"Mesyuarat pada {form(day)}, jam 9.30 pagi.")
    assert found.value == day and found.text == form(day) and found.weekday_fits is not False


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("tiga hari bulan Mac", [(3, 3, None, None)]),
        ("dua puluh tiga haribulan September 2025", [(23, 9, 2025, None)]),
        ("hujung bulan Mac", [(None, 3, None, "hujung")]),
        ("awal Julai 2026", [(None, 7, 2026, "awal")]),
        ("pada 7hb ini", [(7, None, None, None)]),
        ("dari 3 hingga 5 Mac 2026", [(3, 3, 2026, None), (5, 3, 2026, None)]),
        ("bulan April dan Mei 2026", [(None, 4, None, None), (None, 5, 2026, None)]),
        ("29 Februari", [(29, 2, None, None)]),
    ],
)
def test_partial_and_vague_dates(text, want):
    assert [(d.day, d.month, d.year, d.vague) for d in find_dates(text)] == want
    assert find_dates("Isnin, 3 Februari 2026")[0].weekday_fits is False


@pytest.mark.parametrize(
    "text", ["31 April 2026", "29/2/2023", "13/25/2026", "0 Mac", "32 Mac", "versi 1.2.3", "macam 3 macam", "900114-10-5566", "RM3/4/5"]
)
def test_impossible_dates_are_not_found(text):
    assert find_dates(text) == []


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("kadar 4.10% setahun", [(4.1, 4.1, "percent")]),
        ("empat perpuluhan satu peratus", [(4.1, 4.1, "percent")]),
        ("sifar perpuluhan dua lima peratus", [(0.25, 0.25, "percent")]),
        ("antara 50 hingga 60 peratus", [(50, 60, "percent")]),
        ("tiga setengah peratus", [(3.5, 3.5, "percent")]),
        ("suku daripada gajinya, tiga suku penduduk", [(25, 25, "percent"), (75, 75, "percent")]),
        ("naik 25 mata asas", [(0.25, 0.25, "points")]),
        ("suku pertama 2026, suku kata, pukul dua setengah, setengah jam", []),
    ],
)
def test_percentages(text, want):
    assert [(p.value, p.high, p.unit) for p in find_percentages(text)] == want


def test_the_tables_are_large_and_malaysian():
    short = shortforms.tables()
    assert len(short["singkatan"]) + len(short["pasar"]) + len(short["konteks"]) >= 250
    assert len(affixes.lexicon()["words"]) >= 2000
    assert sum(len(g["benda"].split(",")) for g in classifiers.groups()) >= 350
    assert len(jawi.tables()["words"]) >= 400
    indonesian = "karena bahwa mobil kantor uang butuh nomor kualitas bisnis gratis silakan kantong senin kamis kemarin sepeda koran handuk"
    assert not {w for w in indonesian.split() if affixes.is_root(w)} - {"silakan"}
    assert dates.MONTHS["ogos"] == 8 and "agustus" not in dates.MONTHS


def test_importing_the_room_loads_nothing():
    code = "import sys, helpers.malay as m; before = 'helpers.malay.affixes' in sys.modules; m.analyse; print(before, 're' in dir(m), m.analyse('ikan')[0].root)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == [
        "False",
        "False",
        "ikan",
    ]
