/* Writes the JPEG files beside it with libjpeg: cc make_jpegs.c -o make_jpegs -ljpeg && ./make_jpegs
   40 x 24 pixels: red 6x, green 10y, blue 255-6x, held within 0..255. CMYK has these as cyan, magenta and yellow,
   inverted as Adobe has them, and 230 as black. */
#include <stdio.h>
#include <stdlib.h>
#include <jpeglib.h>

static int hold(int v) { return v < 0 ? 0 : v > 255 ? 255 : v; }

static void write_file(const char *name, J_COLOR_SPACE in, J_COLOR_SPACE stored, int progressive, int across, int down,
                       int restart) {
  struct jpeg_compress_struct c;
  struct jpeg_error_mgr errors;
  unsigned char row[4 * 40];
  JSAMPROW rows = row;
  FILE *f = fopen(name, "wb");
  c.err = jpeg_std_error(&errors);
  jpeg_create_compress(&c);
  jpeg_stdio_dest(&c, f);
  c.image_width = 40, c.image_height = 24, c.in_color_space = in;
  c.input_components = in == JCS_CMYK ? 4 : in == JCS_GRAYSCALE ? 1 : 3;
  jpeg_set_defaults(&c);
  jpeg_set_colorspace(&c, stored);
  jpeg_set_quality(&c, 95, TRUE);
  c.comp_info[0].h_samp_factor = across, c.comp_info[0].v_samp_factor = down;
  if (stored == JCS_YCCK) c.comp_info[3].h_samp_factor = across, c.comp_info[3].v_samp_factor = down;
  c.restart_interval = restart;
  if (progressive) jpeg_simple_progression(&c);
  jpeg_start_compress(&c, TRUE);
  for (int y = 0; y < 24; y++) {
    for (int x = 0; x < 40; x++) {
      int rgbk[4] = {hold(6 * x), hold(10 * y), hold(255 - 6 * x), 230};
      for (int k = 0; k < c.input_components; k++)
        row[c.input_components * x + k] = in == JCS_GRAYSCALE ? rgbk[1] : rgbk[k];
    }
    jpeg_write_scanlines(&c, &rows, 1);
  }
  jpeg_finish_compress(&c);
  fclose(f);
}

int main(void) {
  write_file("cmyk.jpg", JCS_CMYK, JCS_CMYK, 0, 1, 1, 0);
  write_file("ycck.jpg", JCS_CMYK, JCS_YCCK, 0, 2, 2, 0);
  write_file("grey.jpg", JCS_GRAYSCALE, JCS_GRAYSCALE, 0, 1, 1, 0);
  write_file("colour.jpg", JCS_RGB, JCS_YCbCr, 0, 2, 2, 0);
  write_file("c422.jpg", JCS_RGB, JCS_YCbCr, 0, 2, 1, 0);
  write_file("c440.jpg", JCS_RGB, JCS_YCbCr, 0, 1, 2, 0);
  write_file("c444.jpg", JCS_RGB, JCS_YCbCr, 0, 1, 1, 0);
  write_file("progressive.jpg", JCS_RGB, JCS_YCbCr, 1, 2, 2, 0);
  write_file("rgb.jpg", JCS_RGB, JCS_RGB, 0, 1, 1, 0);
  write_file("restart.jpg", JCS_RGB, JCS_YCbCr, 0, 2, 2, 2);
}
