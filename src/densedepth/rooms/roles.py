"""Which piece of the catalogue can be what: role to names, by collection. Adding a model is one word here.

Collections: 0 is BlendSwap-CC-0, B BlendSwap-CC-BY, K KatorLegaz, S Scopia.
"""

from __future__ import annotations

COLLECTIONS = {"0": "BlendSwap-CC-0", "B": "BlendSwap-CC-BY", "K": "KatorLegaz", "S": "Scopia"}

ROLES: dict[str, str] = {
    "sofa": "0:couch 0:sofa2 0:winchesterSofa B:sofa2 B:sofa3 B:couch3 K:futon-couch K:mid-century-sofa S:clear_sofa "
    "S:simple_sofa S:beige_sofa_2seats S:beige_sofa S:burlap_sofa S:leather_sofa S:sofa_white_beige "
    "S:convertible-sofa-BZ-closed S:rattanSofa K:mid-century-bench-sofa",
    "corner sofa": "0:L_shaped_sofa 0:sofa 0:couch2 B:cornerSofa",
    "armchair": "0:armchair2 0:modernArmchair 0:winchesterArmchair 0:designChair B:leaf_chair B:armchair1 B:fotel "
    "B:armChair2 K:mid-century-chair S:armchair3 S:armchair S:armchair1 S:armchair2 S:modern_armchair S:rattanArmchair",
    "pouf": "S:puff B:green_stool 0:pianoBench K:bench",
    "coffee table": "B:coffeeTable S:saloon_table S:coffee_table S:table_wood_and_iron S:coffee-table2 "
    "S:living_room_table S:rattanTable",
    "dining table": "0:oakTable 0:table B:table K:glass-dining-table S:black_table S:table4 S:wooden_table_office "
    "S:metal_glass_table S:white_kitchen_table S:table-on-trestles S:table-with-leaning-feet S:round-table "
    "0:tableWithTablecloth K:folding-table S:glass_table_office",
    "small table": "B:cafe_set_mota_table B:cafe_set_tonon_table K:cafe-table S:children_table",
    "chair": "0:oakChair 0:plasticChair 0:sillaBlanca 0:chair 0:antiqueChair 0:chairWithCushion 0:chair2 0:osakaChair "
    "0:thonet B:cafe_set_mota_chair B:cafe_set_tonon_chair B:chairWithCushion B:ella_chair_f B:kitchenChair "
    "B:plaidChair B:chair3 B:chair4 B:foldingChair K:dining-chair S:chair3 S:chair4 S:chair S:tubular_chair "
    "S:plastic_chair S:white_kitchen_chair",
    "office chair": "K:office-chair S:office_chair 0:armchair",
    "bar stool": "K:bar-stool 0:stool 0:stool2 0:silla2 S:bar_chair S:kitchen_stool",
    "desk": "0:lbDesk B:biurko3 B:simpleDesk B:officeTable S:desk_table S:kids_desk_table S:kids_wooden_desk "
    "S:wooden_office_alder_table S:wooden_office_pear_table_rect S:wooden_office_teak_table",
    "bookcase": "0:bookcase 0:verticalShelves B:bookcase K:full-bookcase S:kids_shelves K:utility-shelving",
    "cupboard": "0:cupboard S:dining_room S:office_box S:box_room B:dresserWithDrawers S:office_furniture1",
    "media wall": "S:contemp_living_room 0:televisionCabinet",
    "wardrobe": "0:wardrobeWithSlidingDoors B:wardrobe B:wardrobe2 S:wardrobe1",
    "bed": "0:bed1 0:bed2 0:bedWithTexture 0:bed3 B:lettoCloud S:bed1 S:iron_bed",
    "single bed": "B:juniorBed S:children_bed S:captains-bed S:day_bed_frame B:bunkBed",
    "bedside table": "0:bedsideTable2 B:bedsideTable",
    "dresser": "B:dresserWithDrawers B:chest S:changing-table S:dressing-table",
    "tv stand": "B:tvStand",
    "tv": "0:led_tv S:tv",
    "wall tv": "S:wall-flat-tv",
    "floor plant": "0:decorativePlant 0:plant B:yuccaPlant B:mediumIndoorPlant B:spatifilum S:maceta S:ficus "
    "B:decorativePlant",
    "small plant": "0:littlePlant 0:augalas 0:cactus 0:orchids B:luckyBamboo B:spider_plant B:succulentPlant B:tulip "
    "B:tulips B:white_lily S:bonsai-tree S:calla_lily_with_roses",
    "floor lamp": "S:living_lamp",
    "table lamp": "B:lamp S:little_lamp1 S:little_lamp2 S:little_lamp3 S:table_lamp S:livingroom_lamp1 "
    "K:pedestal-vase-lamp",
    "desk lamp": "0:desklamp S:desk_lamp1 S:desk_lamp2",
    "hanging lamp": "B:hangingLight K:hanging-restaurant-light S:saloon_lamp",
    "ceiling lamp": "S:ceiling-lamp K:fluorescent 0:ceilingFan",
    "radiator": "0:radiator 0:radiator1 0:radiator3 B:modernRadiator",
    "fireplace": "S:fireplace1 S:fireplace2",
    "piano": "B:piano",
    "large toy": "S:indoor-bike B:treadmill S:punching-ball S:doll-house 0:caballito S:tricycle "
    "S:stroller S:clothes-horse S:step-ladder-wood S:step-ladder-metal S:clothes-rack S:bicycle S:baby_high_chair",
    "floor thing": "S:cardboard-box S:open-cardboard-box 0:briefcase 0:handbag B:backpack S:sneakers S:woman_shoes "
    "0:slippers 0:basketball B:ballonFoot K:recycling-bin 0:dustbin B:suitcase S:wood_logs 0:teddyBear B:gift "
    "K:trunk-large 0:crate S:clothes-basket S:shopping-basket 0:speaker3 S:scooter S:skateboard S:chapeau S:doll "
    "0:ammoBox 0:box K:newspaper S:folded_clothes S:mocassin B:toyTrain B:xylophone",
    "table thing": "K:coffee-mug S:cup K:bowl S:apples S:wine_bottle K:red-wine-bottle-01 S:vase1 S:vase2 S:vase3 "
    "S:jar B:book S:candle B:radio S:mini_stereo S:teapot B:laptop S:tablet K:newspaper S:bowlWithFruits S:old_jar "
    "S:pottery B:rubix2 0:kalender S:glasses S:tv-remote-control S:complements2 B:chessboard 0:caffe_final S:creamer "
    "S:frame1 S:frame2 B:clock S:phone B:wirelessOfficePhone3 S:tray S:keys",
    "place setting": "K:plate-and-ustensils S:ensemble-assiette-couteau-fourchette-cuillere-verre K:dinner-plate "
    "K:bread-plate K:coffee-mug",
    "desk thing": "B:laptop K:apple-ibook-2001 K:apple-imac-1998 S:apple_pc S:phone S:penbox S:bandeja K:stapler "
    "0:kalender S:inkjet_and_scanner_printer B:book K:coffee-mug S:tablet S:frame1 K:newspaper "
    "0:tableFan B:wirelessOfficePhone3 S:reflex_camera",
    "computer": "B:laptop K:apple-ibook-2001 K:apple-imac-1998 S:apple_pc",
    "kitchen thing": "K:coffee-maker S:coffee_machine 0:kitchenaid B:microwave S:toaster B:kitchenblender "
    "S:kitchenKnifeStandSet B:utensilsPot B:choppingBoard S:paperTowelHolder S:spiceTower B:breadBox 0:coffeeBrewer "
    "S:small-oven B:largePan S:cooker K:oil-servers S:wine_bottle 0:tetrapak S:bowlWithSalad S:bowl B:kitchenScale "
    "S:apples S:teapot B:espressokettle B:boiler S:old_jar K:coffee-mug 0:bread 0:beerGlass B:beer_bottle S:sugar",
    "bath thing": "S:com_bath S:com_bath2_soap S:com_bath2_jabon_pijo S:com_bath2_esponja 0:cosmeticsPot 0:flacon "
    "S:com_bath3_toalla S:medicoscopia_bottle2 S:medicoscopia_box B:lipStick",
    "toilet": "0:toiletsUnit B:toilets_unit_jay_hardy B:modernToilet",
    "bidet": "0:bidet",
    "washbasin": "0:washbasin B:washbasin_jay_hardy 0:modernVanity S:bathroom_vanity S:double_vanity",
    "bath": "B:bath_jay_hardy S:islandBath",
    "corner bath": "S:corner_bathtub",
    "shower": "0:showerStall",
    "towel radiator": "B:bathroomRadiator B:radiatorAndTowels",
    "towel": "0:towel3 S:com_bath3 K:towel-rack",
    "washing machine": "B:washing_machine S:clothes_washing_machine S:dryer_machine",
    "fridge": "0:refrigerator 0:largeFridge K:fridge",
    "stove": "B:largeStove K:propane-stove",
    "kitchen hood": "B:hood",
    "kitchen base 0": "0:lowerCabinet 0:drawersCabinet 0:lowerCabinet 0:sinkCabinet",
    "kitchen wall 0": "0:upperCabinet 0:glassDoorCabinet 0:smallUpperCabinet 0:upperCabinet",
    "kitchen base B": "B:kitchenLowerCabinet B:kitchenDrawersCabinet B:kitchenSink B:kitchenSmallLowerCabinet",
    "kitchen wall B": "B:kitchenUpperCabinet B:kitchenSmallUpperCabinet B:kitchenGlassDoorCabinet",
    "kitchen island": "B:kitchenIsland",
    "filing cabinet": "K:filing-cabinet B:sef-kasa",
    "office large": "S:water_cooler 0:whiteBoard",
    "person": "K:female-01-casual-clothing K:male-01-suit S:mannequinMale S:mannequinBrunette",
    "animal": "S:cat S:dog S:rabbit",
    "wall small": "B:wallSocket S:square-switch S:square-double-switch S:square-plug-TypeE S:switch-whites "
    "S:plug-TypeE-whites",
}


def keys_of(role: str) -> list[str]:
    """Keys in the catalogue of all pieces for a role."""
    words = (word.partition(":") for word in ROLES[role].split())
    return [f"{COLLECTIONS[letter]}/{name}" for letter, _, name in words]
