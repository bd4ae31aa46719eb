import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.xml.crypto.OctetStreamData;
import javax.xml.crypto.URIDereferencer;
import javax.xml.crypto.URIReferenceException;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignedInfo;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.keyinfo.KeyInfoFactory;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;

/**
 * Made the plain signatures in this folder: the JDK's own signer in its usual shape, which is a Signature in a
 * default namespace, inclusive canonicalization, and a KeyValue beside the certificate.
 *
 * java Sign.java enveloped|detached IN OUT STORE.p12 (pass phrase "x") SIGNATURE-METHOD
 */
public class Sign {
    public static void main(String[] arguments) throws Exception {
        boolean enveloped = arguments[0].equals("enveloped");
        File input = new File(arguments[1]);
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(new FileInputStream(arguments[3]), "x".toCharArray());
        String alias = store.aliases().nextElement();
        PrivateKey key = (PrivateKey) store.getKey(alias, "x".toCharArray());
        X509Certificate certificate = (X509Certificate) store.getCertificate(alias);

        XMLSignatureFactory factory = XMLSignatureFactory.getInstance("DOM");
        List<Transform> transforms = enveloped
            ? List.of(factory.newTransform(Transform.ENVELOPED, (TransformParameterSpec) null)) : null;
        Reference reference = factory.newReference(enveloped ? "" : input.getName(),
            factory.newDigestMethod(DigestMethod.SHA256, null), transforms, null, null);
        SignedInfo signedInfo = factory.newSignedInfo(
            factory.newCanonicalizationMethod("http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
                (C14NMethodParameterSpec) null),
            factory.newSignatureMethod(arguments[4], null), List.of(reference));
        KeyInfoFactory keys = factory.getKeyInfoFactory();
        KeyInfo keyInfo = keys.newKeyInfo(List.of(
            keys.newKeyValue(certificate.getPublicKey()), keys.newX509Data(List.of(certificate))));

        DocumentBuilderFactory builders = DocumentBuilderFactory.newInstance();
        builders.setNamespaceAware(true);
        Document document = enveloped
            ? builders.newDocumentBuilder().parse(input) : builders.newDocumentBuilder().newDocument();
        DOMSignContext context = new DOMSignContext(key, enveloped ? document.getDocumentElement() : document);
        URIDereferencer usual = factory.getURIDereferencer();
        context.setURIDereferencer((uri, crypto) -> {
            if (uri.getURI().isEmpty()) {
                return usual.dereference(uri, crypto);
            }
            try {
                return new OctetStreamData(new FileInputStream(input));
            } catch (java.io.IOException error) {
                throw new URIReferenceException(error);
            }
        });
        factory.newXMLSignature(signedInfo, keyInfo).sign(context);
        TransformerFactory.newInstance().newTransformer()
            .transform(new DOMSource(document), new StreamResult(new FileOutputStream(arguments[2])));
    }
}
