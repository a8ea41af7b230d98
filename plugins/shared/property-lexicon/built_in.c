/* The properties of the general pool and a few more, and what they are in WordNet 3.0. Of several roots above
 * a sense the nearest counts, so `objects` may lie above clothing and vehicles, and `activities` above
 * sports. */
#include "property-lexicon/inside.h"

const built_in lexicon_built_in[] = {
    {"colors", "color#n#1 color#n#6 chromatic#a#3 achromatic#a#1 colored#a#1"},
    {"locations",
     "location#n#1 land#n#4 geological_formation#n#1 body_of_water#n#1 area#n#5 way#n#6 room#n#1 "
     "facility#n#1 establishment#n#4 biome#n#1 vegetation#n#1 municipality#n#2"},
    {"animals", "animal#n#1 animal_group#n#1"},
    {"numbers", "number#n#2 number#n#1 definite_quantity#n#1 cardinal#a#2 ordinal#a#2"},
    {"textures", "texture#n#1 texture#n#4 smooth#a#1 rough#a#1 soft#a#1 hard#a#3 wet#a#1 fuzziness#n#1"},
    {"materials", "material#n#1 fabric#n#1 metallic_element#n#1 metal#n#1 stone#n#2"},
    {"letters", "letter#n#2 letter#n#1 writing#n#2 word#n#1 orthography#n#1 sign#n#2"},
    {"emotions", "feeling#n#1 emotional_state#n#1 facial_expression#n#1 emotional#a#1"},
    {"weather", "weather#n#1 atmospheric_phenomenon#n#1 precipitation#n#3 clear#a#4"},
    {"clothing", "clothing#n#1 footwear#n#1 jewelry#n#1 headdress#n#1 attire#n#1"},
    {"art", "art#n#1 artistic_style#n#1 art_form#n#1 artistic_movement#n#1 visual_communication#n#1"},
    {"photography", "photography#n#1 photograph#n#1 camera#n#1 photographic_equipment#n#1 lens#n#1"},
    {"activities", "activity#n#1 act#n#2"},
    {"objects", "artifact#n#1"},
    {"food", "food#n#1 food#n#2 beverage#n#1 edible_fruit#n#1 vegetable#n#1"},
    {"plants", "plant#n#2 plant_part#n#1"},
    {"vehicles", "vehicle#n#1 conveyance#n#3 craft#n#2"},
    {"buildings", "building#n#1 structure#n#1"},
    {"body parts", "body_part#n#1"},
    {"people", "person#n#1 people#n#1"},
    {"shapes", "shape#n#1 shape#n#2"},
    {"patterns", "pattern#n#1 pattern#n#3 design#n#4 motif#n#1 stripe#n#5 patterned#a#1"},
    {"sizes", "size#n#1 large#a#1 small#a#1 dimension#n#1"},
    {"times", "time_period#n#1 time_unit#n#1 point#n#6"},
    {"light", "light#n#1 illumination#n#1 light#a#6 source_of_illumination#n#1"},
    {"music", "music#n#1 musical_instrument#n#1 musician#n#1 musical_performance#n#1"},
    {"sports", "sport#n#1 contest#n#1 race#n#2 sports_equipment#n#1 game#n#1 athlete#n#1"},
    {"positions", "position#n#1 side#n#1"},
    {NULL, NULL}};
